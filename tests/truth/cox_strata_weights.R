# Cox regression with strata, with weights and with both, clustered by person: coxph, Efron and Breslow ties.
# Also hazard ratios of two exposures and their product with RERI by the delta method on the clustered variance.
suppressPackageStartupMessages(library(survival))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
fit_of <- function(rows, names, ties, strata, weights) {
  right <- paste(c(names, if (strata) "strata(stratum)"), collapse = " + ")
  rows$used <- if (weights) rows$weight else 1
  coxph(as.formula(paste("Surv(start, stop, event) ~", right)), data = rows, cluster = id, weights = used,
        ties = ties, control = coxph.control(eps = 1e-12, iter.max = 100))
}
fitted <- function(...) {
  fit <- fit_of(...)
  object(
    coefficients = numbers(coef(fit)), model_standard_errors = numbers(sqrt(diag(fit$naive.var))),
    robust_standard_errors = numbers(sqrt(diag(fit$var))), robust_covariance = numbers(as.vector(fit$var)),
    null_log_likelihood = num(fit$loglik[1]), log_likelihood = num(fit$loglik[2])
  )
}
one <- function(name, rows, names) {
  columns <- vapply(c("id", "start", "stop", "event", "stratum", "weight", names), function(column) {
    sprintf('"%s": %s', column, numbers(rows[[column]]))
  }, "")
  fits <- lapply(c("efron", "breslow"), function(ties) object(
    stratified = fitted(rows, names, ties, TRUE, FALSE), weighted = fitted(rows, names, ties, FALSE, TRUE),
    both = fitted(rows, names, ties, TRUE, TRUE)
  ))
  object(
    name = sprintf('"%s"', name), covariates = paste0("[", paste0('"', names, '"', collapse = ", "), "]"),
    data = paste0("{", paste(columns, collapse = ", "), "}"), efron = fits[[1]], breslow = fits[[2]]
  )
}

# 60 persons with up to three rows, delayed entry, recurrent events and few distinct times, so that most are tied.
person <- rep(1:60, each = 3)
piece <- rep(0:2, 60)
made <- data.frame(id = person, start = person %% 4 + 4 * piece, stratum = person %% 3)
made$stop <- made$start + 4 - (person * (piece + 3)) %% 3
made$exposed <- as.numeric((person * 7 + piece * 5) %% 3 == 0)
made$dose <- ((person * 13 + piece * 29) %% 17) / 4 - 2
made$event <- as.numeric((person * 11 + piece * 17 + 3 * made$exposed) %% 5 < 2)
made$weight <- 0.2 + ((person * 5 + piece * 3) %% 13) / 6
made <- made[!(made$id %% 5 == 2 & piece == 2), ]

bladder <- transform(bladder2, stratum = enum, weight = 0.1 + (id %% 7) / 7)
two_events <- transform(subset(colon, id <= 150), start = 0, stop = time, event = status, stratum = etype,
                        levamisole = as.numeric(rx == "Lev"), both_drugs = as.numeric(rx == "Lev+5FU"),
                        weight = 0.05 + (id %% 11) / 11)

# Two exposures and their product, confounded by age: A is the older half, B a transplant, by row.
stanford <- transform(heart, start = 2 * start, stop = 2 * stop, a = as.numeric(age > 0),
                      b = as.numeric(transplant == "1"), stratum = surgery, weight = 0.5 + (id %% 5) / 5)
stanford$ab <- stanford$a * stanford$b
reri <- function() {
  fit <- fit_of(stanford, c("a", "b", "ab", "year"), "efron", FALSE, TRUE)
  beta <- coef(fit)[1:3]
  hr <- exp(c(beta[1], beta[2], sum(beta)))
  slope <- c(hr[3] - hr[1], hr[3] - hr[2], hr[3])
  error <- sqrt(drop(slope %*% vcov(fit)[1:3, 1:3] %*% slope))
  value <- hr[3] - hr[1] - hr[2] + 1
  object(value = num(value), standard_error = num(error), lower = num(value - qnorm(0.975) * error),
         upper = num(value + qnorm(0.975) * error), ratio_of_ratios = num(exp(beta[3])),
         ratio_standard_error = num(sqrt(vcov(fit)[3, 3])))
}

cat('{"fits": [\n', paste(c(
  one("tied", made, c("exposed", "dose")),
  one("bladder2", bladder, c("rx", "size", "number")),
  one("colon", two_events, c("levamisole", "both_drugs", "age", "sex")),
  one("heart", stanford, c("a", "b", "ab", "year"))
), collapse = ",\n"), '\n],\n"interaction": ', reri(), "}\n", sep = "")
