# Log-rank tests: survdiff (log-rank, rho = 1, strata) and, with delayed entry, the score test of coxph with exact ties,
# whose variance is the hypergeometric one too. Trend: from survdiff's own differences and covariance.
suppressPackageStartupMessages(library(survival))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
strings <- function(x) paste0("[", paste0('"', x, '"', collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
tested <- function(fit) {
  expected <- if (is.matrix(fit$exp)) rowSums(fit$exp) else fit$exp
  observed <- if (is.matrix(fit$obs)) rowSums(fit$obs) else fit$obs
  differences <- observed - expected
  scores <- seq_along(differences)
  z <- sum(scores * differences) / sqrt(as.numeric(t(scores) %*% fit$var %*% scores))
  object(value = num(fit$chisq), p_value = num(pchisq(fit$chisq, length(differences) - 1, lower.tail = FALSE)),
         observed = numbers(observed), expected = numbers(expected), covariance = numbers(as.vector(fit$var)),
         trend = num(z))
}
frame <- function(data) {
  object(group = strings(data$group), stratum = strings(data$stratum), entry_days = numbers(data$entry),
         time_days = numbers(data$time), event_count = numbers(data$status), censored_count = numbers(1 - data$status))
}
one <- function(name, data) {
  object(
    name = sprintf('"%s"', name), durations = frame(data),
    log_rank = tested(survdiff(Surv(time, status) ~ group, data)),
    rho_1 = tested(survdiff(Surv(time, status) ~ group, data, rho = 1)),
    rho_half = tested(survdiff(Surv(time, status) ~ group, data, rho = 0.5)),
    stratified = tested(survdiff(Surv(time, status) ~ group + strata(stratum), data)),
    stratified_rho_1 = tested(survdiff(Surv(time, status) ~ group + strata(stratum), data, rho = 1))
  )
}
score <- function(formula, data) num(coxph(formula, data, ties = "exact")$score)
late_entry <- function(name, data) {
  data$number <- as.numeric(factor(data$group))
  object(
    name = sprintf('"%s"', name), durations = frame(data),
    log_rank = score(Surv(entry, time, status) ~ factor(group), data),
    stratified = score(Surv(entry, time, status) ~ factor(group) + strata(stratum), data),
    trend = score(Surv(entry, time, status) ~ number, data)
  )
}

complete <- colon[colon$etype == 1 & !is.na(colon$nodes), ][1:240, ]
recurrence <- data.frame(group = as.character(complete$rx), stratum = as.character(complete$surg), entry = 0,
                         time = complete$time %/% 60 + 1, status = complete$status)
i <- 1:90
tied <- data.frame(group = letters[1 + (i * 5) %% 3], stratum = c("old", "young")[1 + i %% 2], entry = 0,
                   time = 1 + (i * 7) %% 8 + (i * i) %% 5, status = as.numeric((i * 13) %% 5 > 1))
late <- transform(tied, entry = (i * 3) %% 14, time = 14 + (i * 7) %% 37)[1:70, ]

cat("{\"entry_at_zero\": [\n", paste(c(one("colon", recurrence), one("tied", tied)), collapse = ",\n"),
    "\n], \"delayed_entry\": [\n", late_entry("late", late), "\n]}\n", sep = "")
