# Stabilised inverse-probability-of-censoring weights: coxph (Breslow) for censoring on rows cut every `period` days,
# the hazard that each row collects by predict(type = "expected"); events leave before the censoring of their day.
suppressPackageStartupMessages(library(survival))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
columns_of <- function(rows, names) {
  paste0("{", paste(sprintf('"%s": %s', names, vapply(names, function(name) numbers(rows[[name]]), "")), collapse = ", "), "}")
}
collected <- function(rows, right) {
  fit <- coxph(as.formula(paste("Surv(early, late, censored) ~", right)), data = rows, ties = "breslow",
               control = coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100))
  predict(fit, type = "expected")
}
before <- function(hazard, id) ave(hazard, id, FUN = cumsum) - hazard

# Rows that are not the last of a person end in a change of covariates; a last row without event is censored.
stanford <- transform(heart, start = 2 * start, stop = 2 * stop, transplant = as.numeric(transplant == "1"))
stanford$last <- !duplicated(stanford$id, fromLast = TRUE)
# Whoever is followed to day 2,000 has come to the planned end.
stanford$censored <- as.numeric(stanford$last & stanford$event == 0 & stanford$stop < 2000)
weights_of <- function(period, baseline) {
  rows <- stanford
  rows$kind <- rows$event + 2 * rows$censored
  rows$status <- as.numeric(rows$kind > 0)
  cut <- survSplit(Surv(start, stop, status) ~ ., data = rows, cut = seq(period, max(rows$stop), period))
  cut <- cut[order(cut$id, cut$start), ]
  cut$event <- as.numeric(cut$status == 1 & cut$kind == 1)
  cut$censored <- as.numeric(cut$status == 1 & cut$kind == 2)
  cut$early <- 2 * cut$start
  cut$late <- 2 * cut$stop - cut$event
  log_weight <- before(collected(cut, "age + transplant"), cut$id) - before(collected(cut, baseline), cut$id)
  weight <- exp(log_weight)
  limits <- quantile(weight, c(0.05, 0.95), type = 7)
  clipped <- pmin(pmax(weight, limits[1]), limits[2])
  cut$clipped <- clipped
  fit <- coxph(Surv(start, stop, event) ~ age + transplant, data = cut, weights = clipped, cluster = id,
               control = coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100))
  object(period = num(period), baseline = if (baseline == "1") "[]" else sprintf('["%s"]', baseline),
         start = numbers(cut$start), weight = numbers(weight), truncated = numbers(clipped),
         coefficients = numbers(coef(fit)), robust_standard_errors = numbers(sqrt(diag(fit$var))))
}
cat("{\"data\": ", columns_of(stanford, c("id", "start", "stop", "event", "censored", "age", "transplant")),
    ",\n\"weights\": [\n", paste(weights_of(365, "1"), weights_of(180, "age"), sep = ",\n"), "\n]}\n", sep = "")
