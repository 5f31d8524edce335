# Interaction of two exposures: epiR (epi.interaction, delta) on fitted regressions; MOVER written out as in Zou 2008
# (Am J Epidemiol 168:212, RERI and attributable proportion), the synergy index by roots of the same limits.
Sys.setenv(TZ = "UTC") # loading epiR asks the machine for its time zone
suppressPackageStartupMessages(library(survival))
epi_interaction <- suppressMessages(suppressWarnings(epiR::epi.interaction))

num <- function(x) ifelse(is.finite(x), sprintf("%.12g", x), "null")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
row <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
matrix_of <- function(m) paste0("[", paste(apply(m, 1, row), collapse = ", "), "]")
z <- qnorm(0.975)

# Limits of w1 R1 + w2 R2 + w3 R3 where the logs of R have limits and correlations.
mover <- function(logs, covariance, w, side) {
  se <- sqrt(diag(covariance)); r <- covariance / outer(se, se); ratios <- exp(logs)
  lower <- exp(logs - z * se); upper <- exp(logs + z * se)
  limit <- if (side == "lower") ifelse(w > 0, lower, upper) else ifelse(w > 0, upper, lower)
  square <- 0
  for (i in 1:3) for (j in 1:3) {
    square <- square + w[i] * w[j] * r[i, j] * abs(ratios[i] - limit[i]) * abs(ratios[j] - limit[j])
  }
  sum(w * ratios) + (if (side == "lower") -1 else 1) * sqrt(square)
}

one <- function(name, fit, places, type) {
  # The regression has A, B and their product; A, B and both against neither are sums of them.
  sums <- rbind(c(1, 0, 0), c(0, 1, 0), c(1, 1, 1))
  logs <- as.vector(sums %*% coef(fit)[places]); covariance <- sums %*% vcov(fit)[places, places] %*% t(sums)
  e <- epi_interaction(model = fit, coef = places, param = "product", conf.level = 0.95)
  product <- coef(fit)[places[3]]; error <- sqrt(vcov(fit)[places[3], places[3]])
  sign <- c(-1, -1, 1)
  to_both <- rbind(c(1, 0, -1), c(0, 1, -1), c(0, 0, -1))
  shared <- as.vector(to_both %*% logs); shared_covariance <- to_both %*% covariance %*% t(to_both)
  synergy <- (exp(logs[3]) - 1) / (exp(logs[1]) + exp(logs[2]) - 2)
  remainder <- function(s, side) mover(logs, covariance, c(-s, -s, 1), side) + 2 * s - 1
  apart <- mover(logs, covariance, c(1, 1, 0), "lower") - 2
  root <- function(side, range) uniroot(remainder, range, side = side, tol = 1e-15, maxiter = 10000)$root
  object(
    name = sprintf('"%s"', name), coefficients = row(coef(fit)[places]), covariance = matrix_of(vcov(fit)[places, places]),
    ratio_of_ratios = row(exp(product + c(0, -z, z) * error)),
    reri_delta = row(unlist(e$reri)), attributable_proportion_delta = row(unlist(e$apab)),
    synergy_index_delta = row(unlist(e$s)),
    reri_mover = row(c(mover(logs, covariance, sign, "lower"), mover(logs, covariance, sign, "upper")) + 1),
    attributable_proportion_mover = row(c(mover(shared, shared_covariance, sign, "lower"),
                                          mover(shared, shared_covariance, sign, "upper")) + 1),
    synergy_index_mover = if (apart <= 0) "null" else row(c(root("lower", c(-1000, synergy)), root("upper", c(synergy, 1000))))
  )
}

# Oral cancer, alcohol and smoking: Rothman and Keller 1972, J Chronic Dis 25:711; 458 men, as cases and noncases.
mouth <- data.frame(
  alcohol = c(0, 1, 0, 1), smoking = c(0, 0, 1, 1), cases = c(3, 6, 8, 225), noncases = c(20, 12, 18, 166)
)
oral <- glm(cbind(cases, noncases) ~ alcohol * smoking, family = binomial, data = mouth,
            control = glm.control(epsilon = 1e-12, maxit = 100))
# Ten times the persons, so that the synergy index has limits by MOVER.
large <- glm(10 * cbind(cases, noncases) ~ alcohol * smoking, family = binomial, data = mouth,
             control = glm.control(epsilon = 1e-12, maxit = 100))
rates <- data.frame(a = c(0, 1, 0, 1), b = c(0, 0, 1, 1), events = c(40, 55, 61, 130), days = c(9e5, 6e5, 5e5, 4e5))
poisson <- glm(events ~ a * b + offset(log(days)), family = poisson, data = rates,
               control = glm.control(epsilon = 1e-12, maxit = 100))
# Death in primary biliary cirrhosis, oedema and bilirubin above 3 (survival::pbc).
liver <- within(pbc[!is.na(pbc$trt), ], { died <- status == 2; swollen <- as.numeric(edema > 0); high <- as.numeric(bili > 3) })
hazards <- coxph(Surv(time, died) ~ swollen * high, data = liver, control = coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100))

cat("[\n", paste(c(
  one("oral_cancer", oral, 2:4), one("oral_cancer_tenfold", large, 2:4), one("rates", poisson, 2:4), one("hazards", hazards, 1:3)
), collapse = ",\n"), "\n]\n", sep = "")
