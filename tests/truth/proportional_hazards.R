# Proportional hazards: cox.zph (survival 3, exact score test) with three transforms, and piecewise hazard ratios by
# survSplit with the Wald test of their equality on the clustered variance.
suppressPackageStartupMessages(library(survival))
stopifnot(packageVersion("survival") >= "3.0")

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
fit_of <- function(rows, names, ties, strata) {
  right <- paste(c(names, if (strata) "strata(stratum)"), collapse = " + ")
  coxph(as.formula(paste("Surv(start, stop, event) ~", right)), data = rows, ties = ties,
        control = coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100))
}
tests <- function(rows, names, ties, strata) {
  fit <- fit_of(rows, names, ties, strata)
  one <- function(transform) {
    table <- cox.zph(fit, transform = transform, terms = FALSE)$table
    object(chi_square = numbers(table[, "chisq"]), p = numbers(table[, "p"]))
  }
  object(km = one("km"), identity = one("identity"), log = one("log"))
}
piecewise <- function(rows, name, others, cuts, weights) {
  rows$used <- if (weights) rows$weight else 1
  cut <- survSplit(Surv(start, stop, event) ~ ., data = rows, cut = cuts, episode = "period",
                   start = "start", end = "stop", event = "event")
  pieces <- paste0("piece", seq_len(length(cuts) + 1))
  for (k in seq_along(pieces)) cut[[pieces[k]]] <- cut[[name]] * (cut$period == k)
  formula <- as.formula(paste("Surv(start, stop, event) ~", paste(c(pieces, others), collapse = " + ")))
  fit <- coxph(formula, data = cut, cluster = id, weights = used, ties = "efron",
               control = coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100))
  k <- length(pieces)
  contrast <- cbind(1, -diag(k - 1))
  difference <- drop(contrast %*% coef(fit)[1:k])
  statistic <- drop(difference %*% solve(contrast %*% vcov(fit)[1:k, 1:k] %*% t(contrast), difference))
  object(covariate = sprintf('"%s"', name), others = paste0("[", paste0('"', others, '"', collapse = ", "), "]"),
         cuts = numbers(cuts), coefficients = numbers(coef(fit)[1:k]),
         standard_errors = numbers(sqrt(diag(vcov(fit)))[1:k]),
         events = numbers(tapply(cut$event, cut$period, sum)),
         days = numbers(tapply(cut$stop - cut$start, cut$period, sum)),
         chi_square = num(statistic), p = num(pchisq(statistic, k - 1, lower.tail = FALSE)))
}
one <- function(name, rows, names, cuts) {
  columns <- vapply(c("id", "start", "stop", "event", "stratum", "weight", names), function(column) {
    sprintf('"%s": %s', column, numbers(rows[[column]]))
  }, "")
  object(
    name = sprintf('"%s"', name), covariates = paste0("[", paste0('"', names, '"', collapse = ", "), "]"),
    data = paste0("{", paste(columns, collapse = ", "), "}"),
    efron = tests(rows, names, "efron", FALSE), breslow = tests(rows, names, "breslow", FALSE),
    efron_strata = tests(rows, names, "efron", TRUE), breslow_strata = tests(rows, names, "breslow", TRUE),
    piecewise = piecewise(rows, names[1], names[-1], cuts, FALSE),
    piecewise_weighted = piecewise(rows, names[1], names[-1], cuts, TRUE)
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

stanford <- transform(heart, start = 2 * start, stop = 2 * stop, transplant = as.numeric(transplant == "1"),
                      stratum = surgery, weight = 0.5 + (id %% 5) / 5)
recurrence <- transform(subset(colon, etype == 1 & id <= 300), start = 0, stop = time, event = status,
                        stratum = as.numeric(differ %in% 3), both_drugs = as.numeric(rx == "Lev+5FU"), weight = 0.05 + (id %% 11) / 11)
biliary <- transform(subset(pbc, id <= 250), start = 0, stop = time, event = as.numeric(status == 2),
                     stratum = edema, log_bilirubin = log(bili), weight = 0.3 + (id %% 4))

cat("[\n", paste(c(
  one("tied", made, c("exposed", "dose"), c(5, 9)),
  one("heart", stanford, c("transplant", "age", "year"), c(90, 365)),
  one("colon", recurrence, c("both_drugs", "age", "sex"), c(90, 365)),
  one("pbc", biliary, c("log_bilirubin", "age", "albumin"), c(365, 1000))
), collapse = ",\n"), "\n]\n", sep = "")
