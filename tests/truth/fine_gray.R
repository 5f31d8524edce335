# Fine-Gray: cmprsk::crr where no day has both events and censoring, survival::finegray with coxph where days have both.
suppressPackageStartupMessages({library(survival); library(cmprsk)})

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
strings <- function(x) paste0("[", paste0('"', x, '"', collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
one <- function(name, data, cause, covariates, apart) {
  x <- as.matrix(data[, covariates])
  columns <- vapply(covariates, function(column) sprintf('"%s": %s', column, numbers(data[[column]])), "")
  crr <- crr(data$time, data$cause, x, failcode = cause, cencode = "censored", gtol = 1e-14, maxiter = 100)
  data$status <- factor(data$cause, c("censored", setdiff(sort(unique(data$cause)), "censored")))
  data$id <- seq_len(nrow(data))
  weighted <- finegray(as.formula(paste("Surv(time, status) ~ id +", paste(covariates, collapse = " + "))), data, etype = cause)
  fit <- coxph(as.formula(paste("Surv(fgstart, fgstop, fgstatus) ~", paste(covariates, collapse = " + "))), weighted,
               weights = fgwt, cluster = id, ties = "breslow", control = coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100))
  parts <- list(
    name = sprintf('"%s"', name), cause = sprintf('"%s"', cause), covariates = strings(covariates),
    persons = paste0("{", paste(c(sprintf('"time_days": %s', numbers(data$time)), sprintf('"cause": %s', strings(data$cause)), columns),
                                collapse = ", "), "}"),
    finegray = numbers(coef(fit)), finegray_error = numbers(sqrt(diag(fit$var))), finegray_log_likelihood = num(fit$loglik[2])
  )
  if (apart) parts <- c(parts, list(crr = numbers(crr$coef), crr_error = numbers(sqrt(diag(crr$var))),
                                    crr_covariance = numbers(as.vector(crr$var))))
  do.call(object, parts)
}
graft <- transplant[transplant$futime > 0 & !is.na(transplant$age), ][1:300, ]
graft <- data.frame(cause = as.character(graft$event), age = graft$age, male = as.numeric(graft$sex == "m"), time = graft$futime)
# Even days for events, odd ones for censoring, so that no day has both; events stay tied.
parted <- transform(graft, time = 2 * (time %/% 10 + 1) - (cause == "censored"))
weeks <- transform(graft, time = time %/% 30 + 1)

cat("[\n", paste(c(
  one("parted_death", parted, "death", c("age", "male"), TRUE), one("parted_ltx", parted, "ltx", c("age", "male"), TRUE),
  one("months_death", weeks, "death", c("age", "male"), FALSE), one("months_ltx", weeks, "ltx", "male", FALSE)
), collapse = ",\n"), "\n]\n", sep = "")
