# Exact unconditional limits of risk difference and ratio by base R alone: the definition of Chan and Zhang 1999, table by table.
# Restricted likelihoods are maximised by optimize, the nuisance risk runs over a grid of 801 points, limits over steps of 1e-4
# (difference) or 1e-3 (log ratio) from outside. Slow on purpose; shares no step with the estimator but the definition.
log_lik <- function(x, n, p) {
  sum(ifelse(x > 0, x * log(pmax(p, 1e-300)), 0) + ifelse(n - x > 0, (n - x) * log(pmax(1 - p, 1e-300)), 0))
}

statistic <- function(x1, n1, x2, n2, value, scale) {
  first <- function(p) if (scale == "difference") p + value else p * value
  low <- if (scale == "difference") max(0, -value) else 0
  high <- if (scale == "difference") min(1, 1 - value) else min(1, 1 / value)
  total <- function(p) log_lik(x1, n1, first(p)) + log_lik(x2, n2, p)
  inner <- optimize(total, c(low, high), maximum = TRUE, tol = 1e-10)$maximum
  candidates <- c(low, inner, high)
  p2 <- candidates[which.max(sapply(candidates, total))]
  p1 <- min(1, max(0, first(p2)))
  factor <- if (scale == "difference") 1 else value^2
  distance <- if (scale == "difference") x1 / n1 - x2 / n2 - value else x1 / n1 - value * x2 / n2
  variance <- p1 * (1 - p1) / n1 + factor * p2 * (1 - p2) / n2
  if (variance < 1e-12) {
    return(if (abs(distance) < 1e-9) 0 else sign(distance) * 1e9)
  }
  distance / sqrt(variance)
}

p_value <- function(x1, n1, x2, n2, value, scale, side) {
  z <- outer(0:n1, 0:n2, Vectorize(function(a, b) statistic(a, n1, b, n2, value, scale))) * side
  far <- z >= z[x1 + 1, x2 + 1] - 1e-5
  low <- if (scale == "difference") max(0, -value) else 0
  high <- if (scale == "difference") min(1, 1 - value) else min(1, 1 / value)
  p2 <- seq(low, high, length.out = 801)
  p1 <- pmin(1, pmax(0, if (scale == "difference") p2 + value else p2 * value))
  max(sapply(seq_along(p2), function(i) sum(outer(dbinom(0:n1, n1, p1[i]), dbinom(0:n2, n2, p2[i])) * far)))
}

limit <- function(cells, scale, side, from, to) {
  x1 <- cells[1]; n1 <- sum(cells[1:2]); x2 <- cells[3]; n2 <- sum(cells[3:4])
  for (step in c(0.05, 0.005, 0.0005, 0.00005)) {
    value <- from
    while ((to - value) * side > 0) {
      here <- if (scale == "ratio") exp(value) else value
      if (p_value(x1, n1, x2, n2, here, scale, side) > 0.025) break
      value <- value + side * step
    }
    from <- value - side * step
  }
  from
}

tables <- list(c(0, 10, 0, 10), c(0, 8, 3, 6), c(4, 3, 0, 7), c(0, 12, 5, 7), c(2, 8, 1, 7))
rows <- sapply(tables, function(cells) {
  difference <- c(limit(cells, "difference", 1, -1 + 1e-9, 1), limit(cells, "difference", -1, 1 - 1e-9, -1))
  ratio <- c("null", "null")
  if (cells[1] > 0) ratio[1] <- sprintf("%.3f", exp(limit(cells, "ratio", 1, -8, 8)))
  if (cells[3] > 0) ratio[2] <- sprintf("%.3f", exp(limit(cells, "ratio", -1, 8, -8)))
  sprintf(
    '  {"cells": [%s], "difference_lower": %.4f, "difference_upper": %.4f, "ratio_lower": %s, "ratio_upper": %s}',
    paste(cells, collapse = ", "), difference[1], difference[2], ratio[1], ratio[2]
  )
})
cat("{\"tables\": [\n", paste(rows, collapse = ",\n"), "\n]}\n", sep = "")
