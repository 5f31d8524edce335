# Exact limits of one proportion and one rate: binom.test and poisson.test.
num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}

proportion <- function(events, total, confidence) {
  b <- binom.test(events, total, conf.level = confidence)
  object(events = events, total = total, confidence = confidence, estimate = num(b$estimate),
         lower = num(b$conf.int[1]), upper = num(b$conf.int[2]))
}
rate <- function(events, person_days, confidence) {
  p <- poisson.test(events, person_days / 365.25 / 100, conf.level = confidence)
  object(events = events, person_days = sprintf("%d", person_days), confidence = confidence,
         estimate = num(p$estimate), lower = num(p$conf.int[1]), upper = num(p$conf.int[2]))
}

proportions <- c(
  proportion(0, 31, 0.95), proportion(31, 31, 0.95), proportion(1, 31, 0.95), proportion(7, 20, 0.90),
  proportion(0, 1, 0.95), proportion(1, 1, 0.95), proportion(412, 98765, 0.99), proportion(500, 1000, 0.95)
)
rates <- c(
  rate(0, 36525L, 0.95), rate(1, 36525L, 0.95), rate(12, 73050L, 0.95), rate(3, 911L, 0.90),
  rate(1234, 45678901L, 0.99), rate(0, 1L, 0.95)
)
cat('{"proportions": [\n', paste(proportions, collapse = ",\n"), '\n],\n"rates": [\n',
    paste(rates, collapse = ",\n"), "\n]}\n", sep = "")
