# Gray's test: cmprsk::cuminc, with rho, strata, ties.
suppressPackageStartupMessages({library(survival); library(cmprsk)})

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
strings <- function(x) paste0("[", paste0('"', x, '"', collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
tested <- function(data, rho, stratified) {
  strata <- if (stratified) data$stratum else rep(1, nrow(data))
  fit <- cuminc(data$time, data$cause, data$group, strata, rho = rho, cencode = "censored")
  causes <- setdiff(sort(unique(data$cause)), "censored")
  parts <- as.list(num(fit$Tests[causes, "stat"]))
  names(parts) <- causes
  do.call(object, parts)
}
one <- function(name, data) {
  counts <- aggregate(list(count = rep(1, nrow(data))), data[, c("group", "stratum", "time", "cause")], sum)
  object(
    name = sprintf('"%s"', name), group = strings(counts$group), stratum = strings(counts$stratum),
    time_days = numbers(counts$time), cause = strings(counts$cause), count = numbers(counts$count),
    plain = tested(data, 0, FALSE), rho_1 = tested(data, 1, FALSE), stratified = tested(data, 0, TRUE)
  )
}
months <- with(mgus2, ifelse(pstat == 1, ptime, futime))
mgus <- data.frame(
  group = as.character(mgus2$sex), stratum = ifelse(mgus2$age < 72, "younger", "older"), time = months %/% 6 + 1,
  cause = with(mgus2, ifelse(pstat == 1, "progression", ifelse(death == 1, "death", "censored")))
)
graft <- data.frame(group = as.character(transplant$abo), stratum = as.character(transplant$sex),
                    time = transplant$futime %/% 60 + 1, cause = as.character(transplant$event))
i <- 1:80
tied <- data.frame(group = letters[1 + (i * 5) %% 3], stratum = c("old", "young")[1 + i %% 2], time = 1 + (i * 7) %% 9 + (i * i) %% 4,
                   cause = c("censored", "a", "b", "a")[1 + (i * 13) %% 4])

cat("[\n", paste(c(one("mgus2", mgus), one("transplant", graft), one("tied", tied)), collapse = ",\n"), "\n]\n", sep = "")
