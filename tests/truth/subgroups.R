# A hazard ratio in each level of a subgroup: coxph on all persons, stratified by level, with the product of every covariate and level,
# clustered by person, Efron ties; the Wald test of the products; and coxph on each level alone.
suppressPackageStartupMessages(library(survival))

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}

# 120 persons in three levels, on one drug until a day, then on two or on none; few distinct days, so that many are tied.
set.seed(20260101)
rows <- do.call(rbind, lapply(1:120, function(person) {
  level <- (person - 1) %% 3
  change <- 2 + (person * 7) %% 23
  last <- 10 + (person * 13) %% 31
  end <- min(last, 1 + rgeom(1, c(0.03, 0.05, 0.04)[level + 1]))
  event <- as.numeric(end < last)
  if (end <= change) return(data.frame(id = person, level = level, start = 0, stop = end, event = event, two = 0, none = 0))
  later <- (person %/% 3) %% 2 == 0
  data.frame(id = person, level = level, start = c(0, change), stop = c(change, end), event = c(0, event),
             two = c(0, 1 - later), none = c(0, as.numeric(later)))
}))
control <- coxph.control(eps = 1e-11, toler.chol = 1e-13, iter.max = 100)
rows$two1 <- rows$two * (rows$level == 1)
rows$two2 <- rows$two * (rows$level == 2)
rows$none1 <- rows$none * (rows$level == 1)
rows$none2 <- rows$none * (rows$level == 2)
whole <- coxph(Surv(start, stop, event) ~ two + two1 + two2 + none + none1 + none2 + strata(level), data = rows,
               cluster = id, ties = "efron", control = control)
products <- 2:3
wald <- drop(t(coef(whole)[products]) %*% solve(vcov(whole)[products, products]) %*% coef(whole)[products])
alone <- lapply(0:2, function(k) coxph(Surv(start, stop, event) ~ two + none, data = rows[rows$level == k, ], cluster = id,
                                       ties = "efron", control = control))
columns <- vapply(names(rows)[1:7], function(column) sprintf('"%s": %s', column, numbers(rows[[column]])), "")
cat(object(
  data = paste0("{", paste(columns, collapse = ", "), "}"),
  coefficients = numbers(vapply(alone, function(fit) coef(fit)[["two"]], 0)),
  robust_standard_errors = numbers(vapply(alone, function(fit) sqrt(vcov(fit)["two", "two"]), 0)),
  product_coefficients = numbers(coef(whole)[products]), wald = num(wald),
  p_value = num(pchisq(wald, length(products), lower.tail = FALSE))
), "\n", sep = "")
