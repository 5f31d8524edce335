# Risk ratios, risk differences, homogeneity and trend over strata: metafor (rma.mh), epiR (epi.2by2), prop.trend.test,
# and the score test of a conditional logistic regression (survival), which is Mantel's extension.
Sys.setenv(TZ = "UTC") # loading epiR asks the machine for its time zone
suppressPackageStartupMessages({
  library(metafor)
  library(survival)
})
quiet <- function(x) suppressMessages(suppressWarnings(x))
epi_2by2 <- quiet(epiR::epi.2by2)

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
rows <- function(m) paste0("[", paste0("[", apply(m, 1, function(r) paste(as.character(r), collapse = ", ")), "]", collapse = ", "), "]")

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
# BCG and tuberculosis, 13 trials (metadat::dat.bcg): cohorts of 113 to 88,391.
bcg <- with(get(data("dat.bcg", package = if (requireNamespace("metadat", quietly = TRUE)) "metadat" else "metafor",
                     envir = environment())), cbind(tpos, tneg, cpos, cneg))

one <- function(name, strata) {
  fit <- function(measure) rma.mh(
    ai = strata[, 1], bi = strata[, 2], ci = strata[, 3], di = strata[, 4], measure = measure, correct = FALSE,
    drop00 = FALSE, add = 0, to = "none"
  )
  ratio <- quiet(fit("RR")); difference <- quiet(fit("RD")); odds <- quiet(fit("OR"))
  cube <- array(t(strata)[c(1, 3, 2, 4), ], dim = c(2, 2, nrow(strata)))
  epi <- quiet(epi_2by2(as.table(cube), method = "cohort.count", conf.level = 0.95, units = 1))$massoc.detail
  object(
    name = sprintf('"%s"', name), strata = rows(strata),
    ratio = num(exp(ratio$beta)), ratio_lower = num(exp(ratio$ci.lb)), ratio_upper = num(exp(ratio$ci.ub)),
    ratio_standard_error = num(ratio$se), ratio_p = num(ratio$pval),
    difference = num(difference$beta), difference_lower = num(difference$ci.lb), difference_upper = num(difference$ci.ub),
    difference_p = num(difference$pval),
    greenland_robins_lower = num(epi$ARisk.mh.green$lower), greenland_robins_upper = num(epi$ARisk.mh.green$upper),
    tarone = num(odds$TA), tarone_p = num(odds$TAp), breslow_day = num(odds$BD)
  )
}

# Levels of alcohol (0-3) by age group; each stratum a list of [score, cases, noncases].
levels_of <- function(part) {
  cases <- tapply(part$ncases, part$alcgp, sum); noncases <- tapply(part$ncontrols, part$alcgp, sum)
  kept <- !is.na(cases)
  cbind(seq_along(cases)[kept] - 1, cases[kept], noncases[kept])
}
expanded <- function(strata) do.call(rbind, lapply(seq_along(strata), function(k) {
  m <- strata[[k]]
  data.frame(stratum = k, score = rep(rep(m[, 1], 2), c(m[, 2], m[, 3])),
             case = rep(c(1, 0), c(sum(m[, 2]), sum(m[, 3]))))
}))
trend <- function(name, strata) {
  whole <- levels_of_all(strata)
  plain <- quiet(prop.trend.test(whole[, 2], whole[, 2] + whole[, 3], whole[, 1]))
  # Breslow ties at one time: the score test of the exact conditional likelihood is that of sampling without replacement.
  fit <- coxph(Surv(rep(1, length(case)), case) ~ score + strata(stratum), data = expanded(strata), ties = "exact")
  object(
    name = sprintf('"%s"', name), strata = paste0("[", paste(vapply(strata, rows, ""), collapse = ", "), "]"),
    crude_chisq = num(plain$statistic), crude_p = num(plain$p.value), extension_chisq = num(fit$score)
  )
}
levels_of_all <- function(strata) {
  m <- do.call(rbind, strata); s <- sort(unique(m[, 1]))
  cbind(s, sapply(s, function(x) sum(m[m[, 1] == x, 2])), sapply(s, function(x) sum(m[m[, 1] == x, 3])))
}

cat('{"strata": [\n', paste(c(
  one("oesophagus", oesophagus), one("sparse", sparse), one("protective", protective), one("bcg", bcg)
), collapse = ",\n"), '\n],\n"trend": [\n', paste(c(
  trend("oesophagus", lapply(split(esoph, esoph$agegp), levels_of)),
  trend("sparse", list(rbind(c(0, 1, 5), c(1, 2, 4), c(3, 2, 1)), rbind(c(0, 0, 3), c(1, 1, 1)), rbind(c(1, 2, 3), c(2, 3, 1)))),
  trend("falling", list(rbind(c(2019, 40, 60), c(2020, 30, 70), c(2021, 25, 80), c(2023, 10, 90))))
), collapse = ",\n"), "\n]}\n", sep = "")
