# Cox regression of counting-process rows with a clustered variance: coxph, Efron and Breslow ties.
suppressPackageStartupMessages(library(survival))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}

fitted <- function(rows, names, ties) {
  formula <- as.formula(paste("Surv(start, stop, event) ~", paste(names, collapse = " + ")))
  # suppressWarnings: of a level without events R says that the coefficient may be infinite.
  fit <- suppressWarnings(coxph(formula, data = rows, cluster = id, ties = ties,
                                control = coxph.control(eps = 1e-12, iter.max = 100)))
  object(
    coefficients = numbers(coef(fit)), model_standard_errors = numbers(sqrt(diag(fit$naive.var))),
    robust_standard_errors = numbers(sqrt(diag(fit$var))), robust_covariance = numbers(as.vector(fit$var)),
    null_log_likelihood = num(fit$loglik[1]), log_likelihood = num(fit$loglik[2])
  )
}
one <- function(name, rows, names) {
  columns <- vapply(c("id", "start", "stop", "event", names), function(column) {
    sprintf('"%s": %s', column, numbers(rows[[column]]))
  }, "")
  object(
    name = sprintf('"%s"', name), covariates = paste0("[", paste0('"', names, '"', collapse = ", "), "]"),
    data = paste0("{", paste(columns, collapse = ", "), "}"),
    efron = fitted(rows, names, "efron"), breslow = fitted(rows, names, "breslow")
  )
}

# One time in the Stanford data is a half day; twice the time has the same coefficients.
stanford <- transform(heart, start = 2 * start, stop = 2 * stop, transplant = as.numeric(transplant == "1"))

# 40 persons with up to three rows, delayed entry, recurrent events and few distinct times, so that most are tied.
person <- rep(1:40, each = 3)
piece <- rep(0:2, 40)
made <- data.frame(id = person, start = person %% 4 + 4 * piece)
made$stop <- made$start + 4 - (person * (piece + 3)) %% 3
made$exposed <- as.numeric((person * 7 + piece * 5) %% 3 == 0)
made$dose <- ((person * 13 + piece * 29) %% 17) / 4 - 2
made$event <- as.numeric((person * 11 + piece * 17 + 3 * made$exposed) %% 5 < 2)
made <- made[!(made$id %% 5 == 2 & piece == 2), ]

# Nobody with `rare` has an event: its coefficient is infinite, the others have a limit.
empty_level <- transform(made, rare = as.numeric(id %% 9 == 4))
empty_level$event[empty_level$rare == 1] <- 0

cat("[\n", paste(c(
  one("heart", stanford, c("age", "year", "surgery", "transplant")),
  one("bladder2", bladder2, c("rx", "size", "number")),
  one("tied", made, c("exposed", "dose")),
  one("empty_level", empty_level, c("exposed", "dose", "rare"))
), collapse = ",\n"), "\n]\n", sep = "")
