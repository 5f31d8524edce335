# Kaplan-Meier curves: survfit with log-log limits, with ties, counts of persons and delayed entry.
suppressPackageStartupMessages(library(survival))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}

# rows: entry, time, events, censored
counted <- function(entry, time, status) {
  events <- aggregate(cbind(status, 1 - status), list(time = time, entry = entry), sum)
  as.matrix(events[, c("entry", "time", "status", "V2")])
}
one <- function(name, rows, confidence = 0.95) {
  persons <- rows[, 3] + rows[, 4]
  entry <- rep(rows[, 1], persons)
  time <- rep(rows[, 2], persons)
  status <- unlist(lapply(seq_len(nrow(rows)), function(i) rep(c(1, 0), rows[i, 3:4])))
  outcome <- if (any(entry > 0)) Surv(entry, time, status) else Surv(time, status)
  fit <- survfit(outcome ~ 1, conf.type = "log-log", conf.int = confidence)
  at <- fit$n.event + fit$n.censor > 0
  median <- quantile(fit, 0.5)
  object(
    name = sprintf('"%s"', name), confidence = num(confidence),
    entry_days = numbers(rows[, 1]), time_days = numbers(rows[, 2]), event_count = numbers(rows[, 3]),
    censored_count = numbers(rows[, 4]),
    curve_time = numbers(fit$time[at]), curve_value = numbers(fit$surv[at]), curve_lower = numbers(fit$lower[at]),
    curve_upper = numbers(fit$upper[at]), curve_at_risk = numbers(fit$n.risk[at]),
    curve_events = numbers(fit$n.event[at]), curve_censored = numbers(fit$n.censor[at]),
    median = num(median$quantile), median_lower = num(median$lower), median_upper = num(median$upper)
  )
}

tied <- rbind(c(0, 5, 2, 1), c(0, 9, 3, 3), c(0, 14, 1, 0), c(0, 20, 4, 2), c(0, 33, 0, 5), c(0, 41, 2, 0),
              c(0, 60, 1, 2))
delayed <- rbind(c(0, 8, 1, 1), c(0, 30, 3, 0), c(0, 55, 2, 2), c(4, 9, 1, 0), c(4, 30, 2, 1), c(8, 21, 1, 1),
                 c(8, 90, 0, 3), c(21, 30, 2, 0), c(21, 71, 3, 1), c(30, 55, 2, 2), c(30, 71, 1, 0), c(55, 83, 4, 1))
late_start <- rbind(c(30, 45, 2, 0), c(30, 60, 3, 4), c(30, 91, 1, 1), c(60, 91, 4, 2), c(60, 120, 2, 6))
few_events <- rbind(c(0, 10, 1, 0), c(0, 20, 1, 10), c(0, 30, 0, 9))
all_stop <- rbind(c(0, 3, 2, 0), c(0, 7, 5, 1), c(0, 11, 4, 0))
many <- rbind(c(0, 28, 41000, 3000), c(0, 56, 52000, 2000), c(0, 84, 38000, 1500), c(0, 365, 90000, 410000))

cat("[\n", paste(c(
  one("lung", counted(0 * lung$time, lung$time, lung$status - 1)),
  one("lung_90", counted(0 * lung$time, lung$time, lung$status - 1), 0.90),
  one("tied", tied), one("delayed", delayed), one("late_start", late_start), one("few_events", few_events),
  one("all_stop", all_stop), one("many", many)
), collapse = ",\n"), "\n]\n", sep = "")
