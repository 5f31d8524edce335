# Odds ratios of single tables: fisher.test, epitools' or.midp, ormidp.test and oddsratio.wald.
# Both R functions stop their root search at 1.2e-4; here it goes to 1e-14, so that six digits can be compared.
suppressPackageStartupMessages(library(epitools))

precise <- function(f) {
  inside <- new.env(parent = environment(f))
  inside$uniroot <- function(...) stats::uniroot(..., tol = 1e-14, maxiter = 10000)
  environment(f) <- inside
  f
}
fisher <- precise(stats::fisher.test)
mid_p <- precise(epitools::or.midp)

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}

# exposed cases, exposed noncases, comparator cases, comparator noncases
tables <- list(
  c(12, 5, 7, 20), c(2, 11, 9, 4), c(1, 30, 2, 400), c(31, 1200, 14, 1100), c(150, 850, 90, 910), c(3, 3, 3, 3),
  c(1, 1, 1, 2), c(40, 2, 3, 55), c(9, 30000, 4, 70000), c(600, 900, 500, 1000),
  c(0, 5, 7, 20), c(5, 0, 7, 20), c(3, 7, 0, 9), c(8, 3, 5, 0), c(0, 31, 0, 31), c(0, 31, 4, 0)
)

one <- function(cells) {
  groups_by_case <- matrix(cells, 2, 2, byrow = TRUE)
  f <- fisher(groups_by_case)
  row <- list(
    cells = paste0("[", paste(cells, collapse = ", "), "]"),
    fisher_estimate = num(f$estimate), fisher_lower = num(f$conf.int[1]), fisher_upper = num(f$conf.int[2]),
    fisher_p = num(f$p.value)
  )
  if (all(cells > 0)) {
    m <- mid_p(groups_by_case)
    f90 <- fisher(groups_by_case, conf.level = 0.90)
    # epitools wants the comparator first and noncases first.
    w <- suppressWarnings(oddsratio.wald(groups_by_case[2:1, 2:1])) # its chi-squared P is not read
    row <- c(row, list(
      fisher90_lower = num(f90$conf.int[1]), fisher90_upper = num(f90$conf.int[2]),
      mid_p_estimate = num(m$estimate), mid_p_lower = num(m$conf.int[1]), mid_p_upper = num(m$conf.int[2]),
      mid_p_p = num(ormidp.test(cells[1], cells[2], cells[3], cells[4])$two.sided),
      wald_estimate = num(w$measure[2, 1]), wald_lower = num(w$measure[2, 2]), wald_upper = num(w$measure[2, 3]),
      wald_standard_error = num(sqrt(sum(1 / cells)))
    ))
  }
  do.call(object, row)
}

cat("[\n", paste(vapply(tables, one, ""), collapse = ",\n"), "\n]\n", sep = "")
