# Restricted means: summary(survfit, rmean = ) of one and two groups, and with delayed entry. The difference is written out.
suppressPackageStartupMessages(library(survival))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
one <- function(entry, time, status, tau) {
  outcome <- if (any(entry > 0)) Surv(entry, time, status) else Surv(time, status)
  mean <- summary(survfit(outcome ~ 1), rmean = tau)$table
  counts <- aggregate(cbind(status, 1 - status), list(time = time, entry = entry), sum)
  list(value = mean[["rmean"]], error = mean[["se(rmean)"]], text = object(
    entry_days = numbers(counts$entry), time_days = numbers(counts$time), event_count = numbers(counts$status),
    censored_count = numbers(counts$V2), value = num(mean[["rmean"]]), standard_error = num(mean[["se(rmean)"]])
  ))
}
pair <- function(name, tau, a, b) {
  one_a <- one(a$entry, a$time, a$status, tau)
  one_b <- one(b$entry, b$time, b$status, tau)
  error <- sqrt(one_a$error^2 + one_b$error^2)
  difference <- one_a$value - one_b$value
  object(
    name = sprintf('"%s"', name), horizon = num(tau), exposed = one_a$text, comparator = one_b$text,
    difference = num(difference), difference_standard_error = num(error), p_value = num(2 * pnorm(-abs(difference / error)))
  )
}
of <- function(data) list(entry = 0 * data$time, time = data$time, status = data$status - 1)
i <- 1:50
late <- list(entry = ifelse(i <= 15, 0, (i * 3) %% 7), time = 8 + (i * 11) %% 13, status = as.numeric(i %% 3 > 0))
tied <- list(entry = 0 * i, time = 4 + (i * 7) %% 17, status = as.numeric(i %% 4 > 1))

cat("[\n", paste(c(
  pair("lung_by_sex", 600, of(lung[lung$sex == 2, ]), of(lung[lung$sex == 1, ])),
  pair("lung_on_an_event", 390, of(lung[lung$sex == 2, ]), of(lung[lung$sex == 1, ])),
  pair("late_and_tied", 20, late, tied)
), collapse = ",\n"), "\n]\n", sep = "")
