# Risk ratios and differences of one table and Wilson limits of a proportion.
# katz: epitools; P and Wilson limits: prop.test. The score limits are found the slow way: under each ratio or difference
# the root of the slope of the log likelihood, then the root of the score statistic.
suppressPackageStartupMessages(library(epitools))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
z <- qnorm(0.975)

log_likelihood_slope <- function(cells, p1, p0, d1) {
  part <- function(count, x) if (count == 0) 0 else count / x
  d1 * (part(cells[1], p1) - part(cells[2], 1 - p1)) + part(cells[3], p0) - part(cells[4], 1 - p0)
}
constrained <- function(cells, p1_of, d1, low, high) {
  slope <- function(p0) log_likelihood_slope(cells, p1_of(p0), p0, d1)
  inside <- (high - low) * 1e-13
  if (slope(low + inside) <= 0) return(low)
  if (slope(high - inside) >= 0) return(high)
  uniroot(slope, c(low + inside, high - inside), tol = 1e-16, maxiter = 10000)$root
}
koopman <- function(cells, log_ratio) {
  n1 <- cells[1] + cells[2]; n0 <- cells[3] + cells[4]; ratio <- exp(log_ratio)
  p0 <- constrained(cells, function(p0) ratio * p0, ratio, 0, min(1, 1 / ratio)); p1 <- ratio * p0
  (cells[1] / n1 - ratio * cells[3] / n0) / sqrt(p1 * (1 - p1) / n1 + ratio^2 * p0 * (1 - p0) / n0)
}
miettinen_nurminen <- function(cells, difference) {
  n1 <- cells[1] + cells[2]; n0 <- cells[3] + cells[4]
  p0 <- constrained(cells, function(p0) p0 + difference, 1, max(0, -difference), min(1, 1 - difference))
  p1 <- p0 + difference
  variance <- (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * (n1 + n0) / (n1 + n0 - 1)
  (cells[1] / n1 - cells[3] / n0 - difference) / sqrt(variance)
}
crossing <- function(f, target, range) uniroot(function(x) f(x) - target, range, tol = 1e-15, maxiter = 10000)$root

# exposed cases, exposed noncases, comparator cases, comparator noncases
tables <- list(
  c(56, 14, 48, 32), c(36, 4, 16, 64), c(12, 5, 7, 20), c(2, 11, 9, 4), c(1, 30, 2, 400), c(31, 1200, 14, 1100),
  c(3, 3, 3, 3), c(9, 29991, 4, 69996), c(0, 5, 7, 20), c(3, 7, 0, 9), c(5, 0, 7, 20), c(8, 3, 5, 0), c(0, 31, 0, 31),
  c(5, 0, 7, 0), c(5, 0, 0, 7)
)

one <- function(cells) {
  n1 <- cells[1] + cells[2]; n0 <- cells[3] + cells[4]
  difference <- cells[1] / n1 - cells[3] / n0
  wilson <- function(x, n) prop.test(x, n, correct = FALSE)$conf.int
  w1 <- suppressWarnings(wilson(cells[1], n1)); w0 <- suppressWarnings(wilson(cells[3], n0))
  side <- 1e-11
  row <- list(
    cells = paste0("[", paste(cells, collapse = ", "), "]"), difference = num(difference),
    newcombe_lower = num(difference - sqrt((cells[1] / n1 - w1[1])^2 + (w0[2] - cells[3] / n0)^2)),
    newcombe_upper = num(difference + sqrt((w1[2] - cells[1] / n1)^2 + (cells[3] / n0 - w0[1])^2)),
    score_difference_lower = num(if (difference == -1) -1 else
      crossing(function(d) miettinen_nurminen(cells, d), z, c(-1 + side, difference - side))),
    score_difference_upper = num(if (difference == 1) 1 else
      crossing(function(d) miettinen_nurminen(cells, d), -z, c(difference + side, 1 - side)))
  )
  cases <- cells[1] + cells[3]
  if (cases > 0) {
    estimate <- log(cells[1] / n1 / (cells[3] / n0))
    row <- c(row, list(
      ratio = num(exp(estimate)),
      score_ratio_lower = if (cells[1] == 0) "0" else
        num(exp(crossing(function(r) koopman(cells, r), z, c(-20, if (cells[3] == 0) 20 else estimate - side)))),
      score_ratio_upper = if (cells[3] == 0) "null" else
        num(exp(crossing(function(r) koopman(cells, r), -z, c(if (cells[1] == 0) -20 else estimate + side, 20))))
    ))
  }
  if (cases > 0 && cases < n1 + n0) {
    p <- suppressWarnings(prop.test(c(cells[1], cells[3]), c(n1, n0), correct = FALSE))
    row <- c(row, list(pearson_p = num(p$p.value)))
  }
  if (all(cells > 0)) {
    katz <- suppressWarnings(riskratio.wald(matrix(cells, 2, 2, byrow = TRUE)[2:1, 2:1])) # its chi-squared P is not read
    row <- c(row, list(katz_lower = num(katz$measure[2, 2]), katz_upper = num(katz$measure[2, 3])))
  }
  do.call(object, row)
}

wilson <- function(events, total, confidence) {
  p <- suppressWarnings(prop.test(events, total, conf.level = confidence, correct = FALSE))
  object(events = events, total = sprintf("%d", total), confidence = confidence, lower = num(p$conf.int[1]),
         upper = num(p$conf.int[2]))
}
cat('{"tables": [\n', paste(vapply(tables, one, ""), collapse = ",\n"), '\n],\n"wilson": [\n', paste(c(
  wilson(0, 31L, 0.95), wilson(31, 31L, 0.95), wilson(1, 31L, 0.95), wilson(7, 20L, 0.90), wilson(81, 263L, 0.95),
  wilson(412, 98765L, 0.99), wilson(3, 10000000L, 0.95)
), collapse = ",\n"), "\n]}\n", sep = "")
