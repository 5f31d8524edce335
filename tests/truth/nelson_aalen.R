# Nelson-Aalen: survfit's cumulative hazard with its standard error (ctype 1: tied events share a risk set), delayed entry too.
suppressPackageStartupMessages(library(survival))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
one <- function(name, entry, time, status) {
  outcome <- if (any(entry > 0)) Surv(entry, time, status) else Surv(time, status)
  fit <- survfit(outcome ~ 1, ctype = 1)
  at <- fit$n.event + fit$n.censor > 0
  counts <- aggregate(cbind(status, 1 - status), list(time = time, entry = entry), sum)
  object(
    name = sprintf('"%s"', name), entry_days = numbers(counts$entry), time_days = numbers(counts$time),
    event_count = numbers(counts$status), censored_count = numbers(counts$V2), curve_time = numbers(fit$time[at]),
    at_risk = numbers(fit$n.risk[at]), value = numbers(fit$cumhaz[at]), standard_error = numbers(fit$std.chaz[at])
  )
}
i <- 1:70
cat("[\n", paste(c(
  one("lung", 0 * lung$time, lung$time %/% 20 + 1, lung$status - 1),
  one("tied", 0 * i, 1 + (i * 7) %% 9, as.numeric(i %% 3 > 0)),
  one("late", ifelse(i <= 20, 0, (i * 3) %% 6), 7 + (i * 11) %% 13, as.numeric(i %% 4 > 1))
), collapse = ",\n"), "\n]\n", sep = "")
