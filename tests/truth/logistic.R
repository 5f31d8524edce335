# Logistic regression: glm with sandwich::vcovCL, profile limits by refits with an offset, Firth's penalty by brglm2 and
# its profile limits from the penalised likelihood itself. Roots are searched to 1e-13.
suppressPackageStartupMessages({library(MASS); library(brglm2); library(sandwich)})

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
texts <- function(x) paste0("[", paste0('"', x, '"', collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
data_of <- function(rows) do.call(object, as.list(vapply(rows, numbers, "")))
target <- qchisq(0.95, 1) / 2
root <- function(f, low, high) uniroot(f, c(low, high), tol = 1e-13, maxiter = 1000)$root
strict <- glm.control(epsilon = 1e-15, maxit = 200)

fitted <- function(rows, names, offset) {
  x <- cbind(1, as.matrix(rows[names]))
  glm.fit(x, rows$event, weights = rows$frequency, offset = offset, family = binomial(), control = strict)
}
log_likelihood <- function(fit, rows) {
  p <- fit$fitted.values
  sum(rows$frequency * ifelse(rows$event == 1, log(p), log1p(-p)))
}
profile_limits <- function(rows, names, name, best, centre, width, offset) {
  height <- function(b) log_likelihood(fitted(rows, setdiff(names, name), offset + b * rows[[name]]), rows) - best + target
  c(root(height, centre - 6 * width, centre), root(height, centre, centre + 6 * width))
}

plain <- function(title, rows, names) {
  if (is.null(rows$frequency)) rows$frequency <- 1
  if (is.null(rows$log_odds)) rows$log_odds <- 0
  if (is.null(rows$id)) rows$id <- seq_len(nrow(rows))
  formula <- as.formula(paste("event ~", paste(names, collapse = " + ")))
  fit <- suppressWarnings(glm(formula, binomial, rows, weights = rows$frequency, offset = rows$log_odds, control = strict))
  null <- glm(event ~ 1, binomial, rows, weights = rows$frequency, offset = rows$log_odds, control = strict)
  best <- log_likelihood(fit, rows)
  model <- sqrt(diag(vcov(fit)))
  robust <- vcovCL(fit, cluster = rows$id, type = "HC0", cadjust = FALSE)
  limits <- vapply(names, function(n) profile_limits(rows, names, n, best, coef(fit)[[n]], model[[n]], rows$log_odds),
                   numeric(2))
  object(
    name = sprintf('"%s"', title), covariates = texts(names), data = data_of(rows[c("event", "frequency", "log_odds", "id", names)]),
    coefficients = numbers(coef(fit)[names]), standard_errors = numbers(model[names]),
    robust_covariance = numbers(as.vector(robust[names, names])), log_likelihood = num(best),
    profile_lower = numbers(limits[1, ]), profile_upper = numbers(limits[2, ]),
    likelihood_ratio = num(2 * (best - log_likelihood(null, rows))),
    likelihood_ratio_p = num(pchisq(2 * (best - log_likelihood(null, rows)), length(names), lower.tail = FALSE))
  )
}

# One coefficient is infinite: the rows it fits perfectly are left out, the others are as glm fits them, and the one
# limit is where the profile of all rows is as far below the limit of the likelihood as 95% allow.
limit <- function(title, rows, names, name, level) {
  rows$frequency <- 1
  left <- rows[rows[[name]] == level, ]
  others <- setdiff(names, name)
  fit <- fitted(left, others, 0)
  best <- log_likelihood(fit, left)
  height <- function(b) log_likelihood(fitted(rows, others, b * rows[[name]]), rows) - best + target
  object(
    name = sprintf('"%s"', title), covariates = texts(names), infinite = sprintf('"%s"', name),
    data = data_of(rows[c("event", names)]), others = texts(others),
    coefficients = numbers(fit$coefficients[-1]),
    standard_errors = numbers(sqrt(diag(chol2inv(fit$qr$qr)))[-1]),
    log_likelihood = num(best), profile_lower = num(root(height, -5, 8))
  )
}

penalised_height <- function(rows, names, offset) {
  x <- cbind(1, as.matrix(rows[names]))
  function(beta) {
    p <- plogis(drop(x %*% beta) + offset)
    information <- crossprod(x * (rows$frequency * p * (1 - p)), x)
    sum(rows$frequency * ifelse(rows$event == 1, log(p), log1p(-p))) + as.numeric(determinant(information)$modulus) / 2
  }
}
penalised_slope <- function(rows, names, offset) {
  x <- cbind(1, as.matrix(rows[names]))
  function(beta) {
    p <- plogis(drop(x %*% beta) + offset)
    w <- rows$frequency * p * (1 - p)
    inverse <- solve(crossprod(x * w, x))
    h <- w * rowSums((x %*% inverse) * x)
    drop(crossprod(x, rows$frequency * (rows$event - p) + h * (0.5 - p)))
  }
}
# Newton with a numerical derivative of the penalised score, on the coefficients that are not held.
climb <- function(rows, names, start, held = integer(0)) {
  slope <- penalised_slope(rows, names, 0)
  height <- penalised_height(rows, names, 0)
  free <- setdiff(seq_along(start), held)
  beta <- start
  for (k in 1:200) {
    jacobian <- vapply(free, function(j) {
      e <- replace(numeric(length(beta)), j, 1e-5)
      (slope(beta + e) - slope(beta - e))[free] / 2e-5
    }, numeric(length(free)))
    step <- replace(numeric(length(beta)), free, -solve(jacobian, slope(beta)[free]))
    if (sum(step * slope(beta)) < 0) step <- replace(step, free, slope(beta)[free] / 10)
    while (!is.finite(height(beta + step)) || height(beta + step) < height(beta) - 1e-12) step <- step / 2
    beta <- beta + step
    if (max(abs(step)) < 1e-11) break
  }
  beta
}
firth <- function(title, rows, names) {
  if (is.null(rows$frequency)) rows$frequency <- 1
  formula <- as.formula(paste("event ~", paste(names, collapse = " + ")))
  fit <- suppressWarnings(glm(formula, binomial, rows, weights = rows$frequency, method = brglm2::brglm_fit,
                              type = "AS_mean", epsilon = 1e-13, maxit = 10000))
  beta <- climb(rows, names, unname(coef(fit)))
  stopifnot(max(abs(beta - coef(fit))) < 1e-6)
  height <- penalised_height(rows, names, 0)
  best <- height(beta)
  error <- sqrt(diag(vcov(fit)))
  tests <- lapply(seq_along(names) + 1, function(k) {
    at <- function(b) height(climb(rows, names, replace(beta, k, b), held = k))
    fall <- function(b) at(b) - best + target
    c(root(fall, beta[k] - 4 * error[k], beta[k]), root(fall, beta[k], beta[k] + 8 * error[k]),
      pchisq(2 * (best - at(0)), 1, lower.tail = FALSE))
  })
  tests <- do.call(rbind, tests)
  object(
    name = sprintf('"%s"', title), covariates = texts(names), data = data_of(rows[c("event", "frequency", names)]),
    coefficients = numbers(beta[-1]), standard_errors = numbers(error[-1]), log_likelihood = num(best),
    profile_lower = numbers(tests[, 1]), profile_upper = numbers(tests[, 2]), p_values = numbers(tests[, 3])
  )
}

births <- with(birthwt, data.frame(event = low, age = age, lwt = lwt, black = as.numeric(race == 2), smoke = smoke,
                                   ht = ht, log_odds = 0.02 * (age - 25), id = age))
women <- with(infert, data.frame(event = case, spontaneous = spontaneous, induced = induced, age = age, id = stratum))
applicants <- as.data.frame(UCBAdmissions)
applicants <- with(applicants, data.frame(event = as.numeric(Admit == "Admitted"), frequency = Freq, id = seq_along(Freq),
                                          male = as.numeric(Gender == "Male"), b = as.numeric(Dept == "B"),
                                          c = as.numeric(Dept == "C"), d = as.numeric(Dept == "D"),
                                          e = as.numeric(Dept == "E"), f = as.numeric(Dept == "F")))
data("endometrial", package = "brglm2")
cancer <- with(endometrial, data.frame(event = HG, neovasculation = NV, pulsatility = PI, height = EH))

cat('{"plain": [\n', paste(c(
  plain("birthwt", births, c("age", "lwt", "black", "smoke", "ht")),
  plain("infert", women, c("spontaneous", "induced", "age")),
  plain("UCBAdmissions", applicants, c("male", "b", "c", "d", "e", "f"))
), collapse = ",\n"), '\n], "limit": [\n',
limit("endometrial", cancer, c("neovasculation", "pulsatility", "height"), "neovasculation", 0),
'\n], "firth": [\n', paste(c(
  firth("endometrial", cancer, c("neovasculation", "pulsatility", "height")),
  firth("birthwt", births, c("age", "lwt", "black", "smoke", "ht")),
  firth("UCBAdmissions", applicants, c("male", "b", "c", "d", "e", "f"))
), collapse = ",\n"), "\n]}\n", sep = "")
