# Cumulative incidence: survfit of competing risks (infinitesimal jackknife), and etm with delayed entry (Greenwood).
suppressPackageStartupMessages({library(survival); library(etm)})

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
strings <- function(x) paste0("[", paste0('"', x, '"', collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
# survfit keeps the influence at time 0 first.
lost_error <- function(fit, steps, widths, k) {
  changes <- fit$influence.pstate[, -1, k]
  sqrt(sum((changes[, steps, drop = FALSE] %*% widths)^2))
}
head_of <- function(name, entry, time, cause, confidence) {
  counts <- aggregate(list(count = rep(1, length(time))), list(entry = entry, time = time, cause = cause), sum)
  list(
    name = sprintf('"%s"', name), confidence = num(confidence), entry_days = numbers(counts$entry),
    time_days = numbers(counts$time), cause = strings(counts$cause), count = numbers(counts$count)
  )
}
# cause: "censored" or the name of the cause.
one <- function(name, time, cause, confidence = 0.95) {
  names <- setdiff(sort(unique(cause)), "censored")
  fit <- survfit(Surv(time, factor(cause, c("censored", names))) ~ 1, conf.type = "log-log", conf.int = confidence,
                 influence = TRUE)
  at <- rowSums(fit$n.event) + fit$n.censor > 0
  tau <- (max(time) * 3) %/% 4
  steps <- fit$time < tau
  widths <- diff(c(fit$time[steps], tau))
  curves <- vapply(names, function(cause) {
    k <- match(cause, fit$states)
    object(value = numbers(fit$pstate[at, k]), standard_error = numbers(fit$std.err[at, k]),
           lower = numbers(fit$lower[at, k]), upper = numbers(fit$upper[at, k]),
           lost_days = num(sum(widths * fit$pstate[steps, k])),
           lost_standard_error = num(lost_error(fit, steps, widths, k)))
  }, "")
  do.call(object, c(head_of(name, 0 * time, time, cause, confidence), list(
    curve_time = numbers(fit$time[at]), at_risk = numbers(fit$n.risk[at, 1]), survival = numbers(fit$pstate[at, 1]),
    horizon = num(tau), causes = paste0("{", paste0('"', names, '": ', curves, collapse = ", "), "}")
  )))
}
delayed <- function(name, entry, time, cause) {
  names <- setdiff(sort(unique(cause)), "censored")
  data <- data.frame(id = seq_along(time), from = "0", to = ifelse(cause == "censored", "cens", cause), entry = entry, exit = time)
  tra <- matrix(FALSE, length(names) + 1, length(names) + 1, dimnames = list(c("0", names), c("0", names)))
  tra[1, -1] <- TRUE
  fit <- etm(data, c("0", names), tra, "cens", s = 0)
  curves <- vapply(names, function(cause) {
    pair <- paste("0", cause)
    object(value = numbers(fit$est["0", cause, ]), standard_error = numbers(sqrt(fit$cov[pair, pair, ])))
  }, "")
  do.call(object, c(head_of(name, entry, time, cause, 0.95), list(
    curve_time = numbers(fit$time), survival = numbers(fit$est["0", "0", ]),
    causes = paste0("{", paste0('"', names, '": ', curves, collapse = ", "), "}")
  )))
}

ends <- with(mgus2, ifelse(pstat == 1, "progression", ifelse(death == 1, "death", "censored")))
months <- with(mgus2, ifelse(pstat == 1, ptime, futime))
quarters <- months %/% 3
keep <- quarters > 0
graft <- transplant[transplant$futime > 0, ]
i <- 1:60
tied <- list(time = 1 + (i * 7) %% 5, cause = c("censored", "a", "b")[1 + (i * 11 + i %/% 7) %% 3])
all_end <- list(time = c(3, 3, 5, 8, 8, 8, 9), cause = c("a", "b", "a", "a", "b", "censored", "b"))
late <- list(entry = c(rep(0, 20), (i * 3) %% 8), time = c(1 + (1:20) %% 12, 9 + (i * 7) %% 9),
             cause = c("censored", "a", "b", "a")[1 + ((1:80) * 13) %% 4])

cat("{\"entry_at_zero\": [\n", paste(c(
  one("mgus2", quarters[keep], ends[keep]), one("mgus2_90", quarters[keep], ends[keep], 0.9),
  one("transplant", graft$futime %/% 14 + 1, as.character(graft$event)),
  one("tied", tied$time, tied$cause), one("all_end", all_end$time, all_end$cause)
), collapse = ",\n"), "\n], \"delayed_entry\": [\n", delayed("late", late$entry, late$time, late$cause), "\n]}\n", sep = "")
