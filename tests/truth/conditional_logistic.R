# Conditional logistic regression: survival::clogit with the exact likelihood, profile limits by refits with an offset,
# robust variances by coxph where each set has one case (the likelihoods are the same there). Firth's penalty: brglm2 on
# the differences of pairs, and every draw of every set written out. Roots are searched to 1e-13.
suppressPackageStartupMessages({library(survival); library(MASS); library(brglm2)})

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
strict <- coxph.control(eps = 1e-13, iter.max = 100, toler.chol = 1e-14)

fitted <- function(rows, names, offset = 0) {
  rows$offset <- offset
  right <- paste(c(names, "offset(offset)", "strata(set_id)"), collapse = " + ")
  clogit(as.formula(paste("event ~", right)), rows, method = "exact", control = strict)
}
plain <- function(title, rows, names) {
  fit <- fitted(rows, names)
  best <- fit$loglik[2]
  error <- sqrt(diag(vcov(fit)))
  limits <- vapply(names, function(name) {
    height <- function(b) {
      tail(fitted(rows, setdiff(names, name), b * rows[[name]])$loglik, 1) - best + target
    }
    centre <- coef(fit)[[name]]
    c(root(height, centre - 4 * error[[name]], centre), root(height, centre, centre + 4 * error[[name]]))
  }, numeric(2))
  row <- list(
    name = sprintf('"%s"', title), covariates = texts(names), data = data_of(rows[c("set_id", "event", "region", names)]),
    coefficients = numbers(coef(fit)), standard_errors = numbers(error), log_likelihood = num(best),
    null_log_likelihood = num(fit$loglik[1]), profile_lower = numbers(limits[1, ]), profile_upper = numbers(limits[2, ])
  )
  if (all(tapply(rows$event, rows$set_id, sum) == 1)) {
    rows$time <- 1
    formula <- as.formula(paste("Surv(time, event) ~", paste(names, collapse = " + "), "+ strata(set_id)"))
    robust <- coxph(formula, rows, cluster = region, control = strict)
    row <- c(row, list(robust_covariance = numbers(as.vector(robust$var))))
  }
  do.call(object, row)
}

# The penalised conditional likelihood from the sums of x over every draw of as many members as a set has cases.
penalised <- function(rows, names) {
  draws <- lapply(split(rows, rows$set_id), function(set) {
    x <- as.matrix(set[names])
    cases <- sum(set$event)
    if (cases == 0 || cases == nrow(set)) return(NULL)
    list(observed = colSums(x[set$event == 1, , drop = FALSE]),
         sums = t(combn(nrow(set), cases, function(i) colSums(x[i, , drop = FALSE]))))
  })
  draws <- lapply(Filter(Negate(is.null), draws), function(d) {
    if (length(names) == 1) d$sums <- matrix(d$sums, ncol = 1)
    d
  })
  function(beta) {
    size <- length(beta)
    height <- 0; slope <- numeric(size); information <- matrix(0, size, size); third <- array(0, c(size, size, size))
    for (d in draws) {
      eta <- drop(d$sums %*% beta)
      p <- exp(eta - max(eta)); total <- sum(p); p <- p / total
      mean <- colSums(p * d$sums)
      around <- sweep(d$sums, 2, mean)
      height <- height + sum(d$observed * beta) - max(eta) - log(total)
      slope <- slope + d$observed - mean
      information <- information + crossprod(around, p * around)
      for (j in seq_len(size)) third[, , j] <- third[, , j] + crossprod(around, p * around[, j] * around)
    }
    inverse <- solve(information)
    slope <- slope + vapply(seq_len(size), function(j) sum(inverse * third[, , j]) / 2, 0)
    list(height = height + as.numeric(determinant(information)$modulus) / 2, slope = slope, inverse = inverse)
  }
}
climb <- function(at, start, held = integer(0)) {
  free <- setdiff(seq_along(start), held)
  beta <- start
  if (!length(free)) return(beta)
  for (k in 1:200) {
    here <- at(beta)
    jacobian <- vapply(free, function(j) {
      e <- replace(numeric(length(beta)), j, 1e-5)
      (at(beta + e)$slope - at(beta - e)$slope)[free] / 2e-5
    }, numeric(length(free)))
    step <- replace(numeric(length(beta)), free, -solve(as.matrix(jacobian), here$slope[free]))
    if (sum(step * here$slope) < 0) step <- replace(step, free, here$slope[free] / 10)
    while (!is.finite(at(beta + step)$height) || at(beta + step)$height < here$height - 1e-12) step <- step / 2
    beta <- beta + step
    if (max(abs(step)) < 1e-11) break
  }
  beta
}
firth <- function(title, rows, names) {
  at <- penalised(rows, names)
  beta <- climb(at, numeric(length(names)))
  best <- at(beta)
  error <- sqrt(diag(best$inverse))
  tests <- do.call(rbind, lapply(seq_along(names), function(k) {
    top <- function(b) at(climb(at, replace(beta, k, b), held = k))$height
    fall <- function(b) top(b) - best$height + target
    crossing <- function(step) {
      end <- beta[k] + step
      while (fall(end) > 0) end <- end + step
      root(fall, min(end, end - step), max(end, end - step))
    }
    c(crossing(-error[k] / 2), crossing(error[k] / 2),
      pchisq(2 * (best$height - top(0)), 1, lower.tail = FALSE))
  }))
  object(
    name = sprintf('"%s"', title), covariates = texts(names), data = data_of(rows[c("set_id", "event", names)]),
    coefficients = numbers(beta), standard_errors = numbers(error), log_likelihood = num(best$height),
    profile_lower = numbers(tests[, 1]), profile_upper = numbers(tests[, 2]), p_values = numbers(tests[, 3])
  )
}

women <- with(infert, data.frame(set_id = stratum, event = case, region = stratum %/% 3, spontaneous = spontaneous,
                                 induced = induced))
pooled <- with(infert, data.frame(set_id = pooled.stratum, event = case, region = pooled.stratum, spontaneous = spontaneous,
                                  induced = induced))
births <- with(birthwt, data.frame(set_id = age, event = low, region = age, lwt = lwt, smoke = smoke, ht = ht))
# Few draws in a set, so that they can be written out; sets of cases only and of controls only are among them.
small <- births[births$set_id %in% c(14:16, 26:36, 45), ]
# Each set of the last data holds one exposed case and no exposed control: the likelihood has no maximum.
apart <- data.frame(set_id = rep(1:6, each = 4), event = rep(c(1, 0, 0, 0), 6),
                    exposed = c(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0),
                    age = c(5, 3, 6, 4, 2, 8, 1, 3, 7, 6, 2, 9, 4, 4, 7, 1, 6, 3, 5, 8, 2, 5, 3, 3))
# Pairs: the conditional likelihood is that of a logistic model of the differences without intercept.
pairs <- do.call(rbind, lapply(split(women, women$set_id), function(set) set[c(which(set$event == 1), which(set$event == 0)[1]), ]))
differences <- do.call(rbind, lapply(split(pairs, pairs$set_id), function(set) {
  data.frame(event = 1, spontaneous = -diff(set$spontaneous), induced = -diff(set$induced))
}))
by_brglm2 <- glm(event ~ spontaneous + induced - 1, binomial, differences, method = brglm2::brglm_fit, type = "AS_mean",
                 epsilon = 1e-13, maxit = 10000)
stopifnot(max(abs(coef(by_brglm2) - climb(penalised(pairs, c("spontaneous", "induced")), c(0, 0)))) < 1e-8)

cat('{"plain": [\n', paste(c(
  plain("infert", women, c("spontaneous", "induced")),
  plain("infert_pooled", pooled, c("spontaneous", "induced")),
  plain("birthwt", births, c("lwt", "smoke", "ht"))
), collapse = ",\n"), '\n], "firth": [\n', paste(c(
  firth("infert", women, c("spontaneous", "induced")),
  firth("infert_pairs", pairs, c("spontaneous", "induced")),
  firth("birthwt_small", small, c("lwt", "smoke", "ht")),
  firth("apart", apart, c("exposed", "age"))
), collapse = ",\n"), "\n]}\n", sep = "")
