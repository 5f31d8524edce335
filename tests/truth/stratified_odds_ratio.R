# Odds ratios over strata: mantelhaen.test, exact and not. Its root search goes to 1e-14 here instead of 1.2e-4.
precise <- function(f) {
  inside <- new.env(parent = environment(f))
  inside$uniroot <- function(...) stats::uniroot(..., tol = 1e-14, maxiter = 10000)
  environment(f) <- inside
  f
}
mantel_haenszel <- precise(stats::mantelhaen.test)

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}

# Each row a stratum: exposed cases, exposed noncases, comparator cases, comparator noncases.
# Oesophageal cancer and at least 80 g of alcohol a day, by age group (datasets::esoph).
heavy <- esoph$alcgp %in% c("80-119", "120+")
by_age <- function(count, chosen) as.vector(tapply(count * chosen, esoph$agegp, sum))
oesophagus <- cbind(
  by_age(esoph$ncases, heavy), by_age(esoph$ncontrols, heavy),
  by_age(esoph$ncases, !heavy), by_age(esoph$ncontrols, !heavy)
)
sparse <- rbind(c(1, 2, 0, 3), c(0, 1, 1, 2), c(2, 0, 1, 4), c(1, 1, 0, 2), c(0, 2, 1, 1), c(3, 1, 1, 3))
protective <- rbind(c(2, 40, 9, 38), c(1, 22, 6, 25), c(4, 61, 11, 58))
zero <- rbind(c(0, 6, 3, 9), c(0, 4, 2, 5), c(0, 8, 1, 3))
infinite <- rbind(c(3, 6, 0, 9), c(2, 4, 0, 5), c(1, 8, 0, 3))

one <- function(name, strata) {
  # The strata without information stand in the data; mantelhaen.test takes only the others.
  informative <- strata[strata[, 1] + strata[, 2] > 0 & strata[, 3] + strata[, 4] > 0 &
    strata[, 1] + strata[, 3] > 0 & strata[, 2] + strata[, 4] > 0, , drop = FALSE]
  cube <- array(t(informative)[c(1, 2, 3, 4), ], dim = c(2, 2, nrow(informative)))
  plain <- mantel_haenszel(cube, correct = FALSE)
  exact <- mantel_haenszel(cube, exact = TRUE)
  defined <- is.finite(plain$estimate) && plain$estimate > 0
  object(
    name = sprintf('"%s"', name),
    strata = paste0("[", paste0("[", apply(strata, 1, paste, collapse = ", "), "]", collapse = ", "), "]"),
    estimate = num(plain$estimate), lower = if (defined) num(plain$conf.int[1]) else "null",
    upper = if (defined) num(plain$conf.int[2]) else "null", p = num(plain$p.value),
    exact_estimate = num(exact$estimate), exact_lower = num(exact$conf.int[1]), exact_upper = num(exact$conf.int[2]),
    exact_p = num(exact$p.value)
  )
}

cat("[\n", paste(c(
  one("oesophagus", oesophagus), one("sparse", sparse), one("protective", protective),
  one("without_information", rbind(protective, c(0, 9, 0, 4), c(3, 0, 2, 0), c(0, 0, 2, 8))),
  one("zero", zero), one("infinite", infinite)
), collapse = ",\n"), "\n]\n", sep = "")
