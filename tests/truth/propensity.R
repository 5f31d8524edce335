# Propensity scores by glm on birthwt (smoking as exposure); weights, balance and minimal detectable ratios by formula.
# power.prop.test finds the second share for groups of one size; its root is searched to 1e-13.
suppressPackageStartupMessages(library(MASS))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
texts <- function(x) paste0("[", paste0('"', x, '"', collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}

covariates <- c("age", "lwt", "black", "ht")
rows <- with(birthwt, data.frame(is_exposed = smoke, age = age, lwt = lwt, black = as.numeric(race == 2), ht = ht))
fit <- glm(is_exposed ~ age + lwt + black + ht, binomial, rows, control = glm.control(epsilon = 1e-15, maxit = 100))
score <- fitted(fit)
exposed <- rows$is_exposed == 1
share <- mean(exposed)
preference <- plogis(qlogis(score) - qlogis(share))
inside <- preference >= 0.3 & preference <= 0.7

overlap <- ifelse(exposed, 1 - score, score)
stabilised <- ifelse(exposed, share / score, (1 - share) / (1 - score))
ends <- quantile(stabilised, c(0.05, 0.95))
truncated <- pmin(pmax(stabilised, ends[1]), ends[2])
size <- function(w) sum(w)^2 / sum(w^2)

difference <- function(name, w) {
  part <- function(group) {
    x <- rows[[name]][group]; v <- w[group]
    m <- weighted.mean(x, v)
    binary <- all(rows[[name]] %in% 0:1)
    c(m, if (binary) m * (1 - m) else sum(v) / (sum(v)^2 - sum(v^2)) * sum(v * (x - m)^2))
  }
  a <- part(exposed); b <- part(!exposed)
  (a[1] - b[1]) / sqrt((a[2] + b[2]) / 2)
}
balance <- function(w) numbers(vapply(covariates, difference, 0, w = w))
root <- function(f) uniroot(f, c(1e-9, 20), tol = 1e-13, maxiter = 1000)$root

odds <- function(cases, controls, p) exp(root(function(b) {
  q <- plogis(qlogis(p) + b)
  pooled <- (cases * q + controls * p) / (cases + controls)
  q - p - qnorm(0.975) * sqrt(pooled * (1 - pooled) * (1 / cases + 1 / controls)) -
    qnorm(0.8) * sqrt(q * (1 - q) / cases + p * (1 - p) / controls)
}))
by_r <- function(n, p) {
  q <- power.prop.test(n = n, p1 = p, power = 0.8, sig.level = 0.05, tol = 1e-13)$p2
  q / (1 - q) / (p / (1 - p))
}
rate <- function(events, ratio) exp(root(function(b) {
  b - qnorm(0.975) * sqrt(1 / events + 1 / (events * ratio)) - qnorm(0.8) * sqrt(1 / events + exp(-b) / (events * ratio))
}))

cat(object(
  covariates = texts(covariates),
  data = do.call(object, as.list(vapply(rows, numbers, ""))),
  score = numbers(score), preference = numbers(preference),
  equipoise = numbers(c(mean(inside), mean(inside[exposed]), mean(inside[!exposed]))),
  overlap = numbers(overlap), stabilised = numbers(stabilised), truncated = numbers(truncated),
  effective_sizes = numbers(c(size(overlap[exposed]), size(stabilised), size(truncated[!exposed]))),
  balance_before = balance(rep(1, nrow(rows))), balance_truncated = balance(truncated), balance_stabilised = balance(stabilised),
  odds = numbers(c(odds(100, 200, 0.1), odds(40, 4000, 0.02))), odds_by_r = numbers(c(by_r(100, 0.1), by_r(500, 0.4))),
  rate = numbers(c(rate(12, 0.25), rate(400, 1))),
  hazard = numbers(exp((qnorm(0.975) + qnorm(0.8)) / sqrt(c(50, 1000) * 0.2 * 0.8)))
), "\n", sep = "")
