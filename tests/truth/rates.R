# Rate ratios and differences of two groups and of strata, standardised rates, dispersion: poisson.test, epitools, metafor, glm.
# Root searches go to 1e-14, so that six digits can be compared.
suppressPackageStartupMessages({
  library(epitools)
  library(metafor)
})
precise <- function(f) {
  inside <- new.env(parent = environment(f))
  inside$uniroot <- function(...) stats::uniroot(..., tol = 1e-15, maxiter = 10000)
  environment(f) <- inside
  f
}
mid_p <- precise(epitools::rateratio.midp)

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
whole <- function(x) format(x, scientific = FALSE, trim = TRUE)
row_of <- function(r) paste0("[", paste(whole(r), collapse = ", "), "]")
rows <- function(m) paste0("[", paste(apply(m, 1, row_of), collapse = ", "), "]")
century <- 36525 # days in 100 person-years

# exposed events, exposed person-days, comparator events, comparator person-days
tables <- list(
  c(12, 36525, 7, 73050), c(1, 900, 2, 400000), c(31, 512345, 14, 510000), c(5, 100, 5, 100), c(1500, 4000000, 1200, 4100000),
  c(0, 3000, 7, 20000), c(3, 7000, 0, 9000), c(0, 3000, 0, 9000)
)
one <- function(cells) {
  row <- list(cells = row_of(cells))
  if (cells[1] + cells[3] > 0) {
    p <- poisson.test(c(cells[1], cells[3]), c(cells[2], cells[4]))
    row <- c(row, list(ratio = num(p$estimate), lower = num(p$conf.int[1]), upper = num(p$conf.int[2]), p = num(p$p.value)))
  }
  if (cells[1] > 0 && cells[3] > 0) {
    m <- suppressWarnings(mid_p(matrix(c(cells[3:4], cells[1:2]), 2, 2, byrow = TRUE)))
    row <- c(row, list(mid_p_ratio = num(m$measure[2, 1]), mid_p_lower = num(m$measure[2, 2]),
                       mid_p_upper = num(m$measure[2, 3]), mid_p_p = num(m$p.value[2, 1])))
  }
  # MOVER by hand over the exact limits of poisson.test.
  rate <- poisson.test(cells[1], cells[2] / century); other <- poisson.test(cells[3], cells[4] / century)
  r <- cells[1] / cells[2] * century; o <- cells[3] / cells[4] * century
  row <- c(row, list(
    difference = num(r - o),
    mover_lower = num(r - o - sqrt((r - rate$conf.int[1])^2 + (other$conf.int[2] - o)^2)),
    mover_upper = num(r - o + sqrt((rate$conf.int[2] - r)^2 + (o - other$conf.int[1])^2))
  ))
  do.call(object, row)
}

# Each row a stratum, as above. Doctors who smoke and coronary deaths by age (Doll and Hill 1966): person-years as days.
doctors <- cbind(
  c(32, 104, 206, 186, 102), c(52407, 43248, 28612, 12663, 5317) * 365,
  c(2, 12, 28, 28, 31), c(18790, 10673, 5710, 2585, 1462) * 365
)
sparse <- rbind(c(1, 900, 0, 1300), c(0, 400, 2, 2500), c(2, 1100, 1, 1700), c(1, 350, 0, 3000))
strata_of <- function(name, strata) {
  fit <- function(measure, days) rma.mh(x1i = strata[, 1], x2i = strata[, 3], t1i = strata[, 2] / days,
    t2i = strata[, 4] / days, measure = measure, correct = FALSE, drop00 = FALSE, add = 0, to = "none")
  ratio <- suppressWarnings(fit("IRR", century)); difference <- suppressWarnings(fit("IRD", century))
  object(
    name = sprintf('"%s"', name), strata = rows(strata), ratio = num(exp(ratio$beta)), ratio_lower = num(exp(ratio$ci.lb)),
    ratio_upper = num(exp(ratio$ci.ub)), ratio_standard_error = num(ratio$se), score_p = num(ratio$MHp),
    difference = num(difference$beta), difference_lower = num(difference$ci.lb), difference_upper = num(difference$ci.ub),
    difference_p = num(difference$pval)
  )
}

# events, person-days, standard weight
standardised <- function(name, strata, confidence) {
  a <- ageadjust.direct(strata[, 1], strata[, 2] / century, stdpop = strata[, 3], conf.level = confidence)
  object(name = sprintf('"%s"', name), strata = rows(strata), confidence = confidence, rate = num(a[["adj.rate"]]),
         lower = num(a[["lci"]]), upper = num(a[["uci"]]))
}
# Down's syndrome by maternal age, births of the first child (Fay and Feuer 1997, table I), against births of all orders.
downs <- cbind(c(107, 141, 60, 40, 39, 25), c(230061, 329449, 114920, 39487, 14208, 3052),
               c(319933, 931318, 786511, 488235, 237863, 61313))

dispersion <- function(name, strata) {
  fit <- glm(strata[, 1] ~ offset(log(strata[, 2])), family = quasipoisson, control = glm.control(epsilon = 1e-14))
  s <- summary(fit)
  object(name = sprintf('"%s"', name), entries = rows(strata), value = num(s$dispersion),
         p = num(pchisq(s$dispersion * fit$df.residual, fit$df.residual, lower.tail = FALSE)))
}

cat('{"tables": [\n', paste(vapply(tables, one, ""), collapse = ",\n"), '\n],\n"strata": [\n',
    paste(c(strata_of("doctors", doctors), strata_of("sparse", sparse)), collapse = ",\n"), '\n],\n"standardised": [\n',
    paste(c(standardised("downs", downs, 0.95), standardised("downs_at_90", downs, 0.90),
            standardised("a_zero", rbind(c(0, 4000, 3), c(2, 9000, 1)), 0.95)), collapse = ",\n"),
    '\n],\n"dispersion": [\n',
    paste(c(dispersion("doctors", doctors[, 1:2]), dispersion("even", rbind(c(10, 1000), c(12, 1200), c(7, 800), c(31, 3000))),
            dispersion("persons", cbind(c(0, 0, 9, 1, 0, 0, 4), c(300, 365, 200, 365, 90, 365, 365)))), collapse = ",\n"),
    "\n]}\n", sep = "")
