# Weighted survival and cumulative incidence: survfit with weights, several rows of a person and delayed entry, robust errors.
suppressPackageStartupMessages(library(survival))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
strings <- function(x) paste0("[", paste0('"', x, '"', collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
one <- function(name, data, causes) {
  data$any <- as.numeric(data$cause != "censored")
  data$state <- factor(data$cause, c("censored", causes))
  km <- survfit(Surv(entry, time, any) ~ 1, data, weights = weight, cluster = id, robust = TRUE, conf.type = "log-log")
  aj <- survfit(Surv(entry, time, state) ~ 1, data, weights = weight, id = id, conf.type = "log-log")
  days <- sort(unique(data$time[data$any == 1]))
  days <- days[days < max(data$time)]
  k <- findInterval(days, km$time)
  a <- findInterval(days, aj$time)
  stopifnot(!km$logse)
  # Where a person's weight changes, survfit's error of the incidence departs from finite differences; its survival's does not.
  curves <- if (any(tapply(data$weight, data$id, max) > tapply(data$weight, data$id, min))) character() else vapply(causes, function(cause) {
    s <- match(cause, aj$states)
    object(value = numbers(aj$pstate[a, s]), standard_error = numbers(aj$std.err[a, s]),
           lower = numbers(aj$lower[a, s]), upper = numbers(aj$upper[a, s]))
  }, "")
  object(
    name = sprintf('"%s"', name),
    rows = object(person_id = numbers(data$id), entry_days = numbers(data$entry), time_days = numbers(data$time),
                  cause = strings(data$cause), weight = numbers(data$weight)),
    days = numbers(days),
    survival = object(value = numbers(km$surv[k]), standard_error = numbers(km$std.err[k]),
                      lower = numbers(km$lower[k]), upper = numbers(km$upper[k])),
    causes = paste0("{", paste0(sprintf('"%s": ', names(curves)), curves, collapse = ", "), "}")
  )
}
i <- 1:90
whole <- data.frame(id = i, entry = 0, time = 2 + (i * 7) %% 19, cause = c("censored", "a", "b")[1 + (i * 11 + i %/% 7) %% 3],
                    weight = 0.25 + ((i * 13) %% 17) / 10)
late <- transform(whole, entry = pmin(ifelse(i <= 25, 0, (i * 3) %% 9), time), time = time + 1)
# Two rows a person, cut on day 8, with another weight after it.
first <- late[late$time > 8, ]
second <- transform(first, entry = 8, weight = weight * (1 + (id %% 4) / 3))
first <- transform(first, time = 8, cause = "censored")
split <- rbind(late[late$time <= 8, ], first, second)
split <- split[order(split$id, split$entry), ]

cat("[\n", paste(c(one("whole", whole, c("a", "b")), one("late", late, c("a", "b")), one("split", split, c("a", "b"))),
                 collapse = ",\n"), "\n]\n", sep = "")
