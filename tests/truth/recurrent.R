# Events that recur: Andersen-Gill and Prentice-Williams-Peterson by coxph; the mean cumulative count with death as its
# formula of weights, whose infinitesimal jackknife is taken by numerical differentiation, and by mets and survfit.
suppressPackageStartupMessages({library(survival); library(numDeriv); library(mets)})

num <- function(x) ifelse(is.finite(x), sprintf("%.15g", x), "null")
numbers <- function(x) paste0("[", paste(num(x), collapse = ", "), "]")
object <- function(...) {
  parts <- list(...)
  paste0("{", paste0('"', names(parts), '": ', unlist(parts), collapse = ", "), "}")
}
columns_of <- function(rows, names) {
  object_names <- vapply(names, function(name) sprintf('"%s": %s', name, numbers(as.numeric(rows[[name]]))), "")
  paste0("{", paste(object_names, collapse = ", "), "}")
}

model <- function(formula, rows, ties) {
  fit <- coxph(formula, data = rows, cluster = id, ties = ties,
               control = coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100))
  object(coefficients = numbers(coef(fit)), robust_standard_errors = numbers(sqrt(diag(fit$var))),
         robust_covariance = numbers(as.vector(fit$var)))
}
models <- function(rows, ties) {
  total <- function(cap) model(Surv(start, stop, event) ~ rx + size + number + strata(pmin(enum, cap)), rows, ties)
  gap <- function(cap) model(Surv(stop - start, event) ~ rx + size + number + strata(pmin(enum, cap)), rows, ties)
  object(
    andersen_gill = model(Surv(start, stop, event) ~ rx + size + number, rows, ties),
    total_2 = total(2), total_4 = total(4), gap_2 = gap(2), gap_4 = gap(4)
  )
}

# Mean count by t of persons with weights w; tied deaths and events as they are, events before deaths.
mean_count <- function(w, persons, events, t) {
  times <- sort(unique(c(events$day, persons$stop[persons$death == 1])))
  times <- times[times <= t]
  survival <- 1
  total <- 0
  for (u in times) {
    at_risk <- sum(w[persons$start < u & u <= persons$stop])
    total <- total + survival * sum(w[match(events$id[events$day == u], persons$id)]) / at_risk
    survival <- survival * (1 - sum(w[persons$death == 1 & persons$stop == u]) / at_risk)
  }
  total
}
counts <- function(name, persons, events, at) {
  ones <- rep(1, nrow(persons))
  values <- vapply(at, function(t) mean_count(ones, persons, events, t), 0)
  errors <- vapply(at, function(t) {
    sqrt(sum(jacobian(mean_count, ones, persons = persons, events = events, t = t)^2))
  }, 0)
  object(name = sprintf('"%s"', name), persons = columns_of(persons, c("id", "start", "stop", "death")),
         events = columns_of(events, c("id", "day")), at = numbers(at), values = numbers(values),
         standard_errors = numbers(errors))
}

# Thall's bladder cancers with deaths, in months; persons without any follow-up are left out.
persons <- aggregate(cbind(stop, death = status >= 2) ~ id, data = subset(bladder1, stop > 0), FUN = max)
persons$start <- 0
events <- data.frame(id = subset(bladder1, status == 1)$id, day = subset(bladder1, status == 1)$stop)
bladder <- counts("bladder1", persons, events, c(6, 12, 24, 40, 60))
late <- transform(persons, start = ifelse(id %% 3 == 0 & stop > 5, 4, 0))
late_events <- merge(events, late[c("id", "start")])
late_events <- late_events[late_events$day > late_events$start, c("id", "day")]
delayed <- counts("delayed_entry", late, late_events, c(6, 12, 24, 40, 60))
alive <- counts("no_deaths", transform(persons, death = 0), events, c(6, 12, 24, 40, 60))

# survfit of the same rows without deaths: Nelson's mean with its robust standard error.
cut <- tmerge(persons, persons, id = id, tstop = stop)
cut <- tmerge(cut, unique(events), id = id, recur = event(day))
nelson <- summary(survfit(Surv(tstart, tstop, recur) ~ 1, data = cut, id = id, robust = TRUE, stype = 2),
                  times = c(6, 12, 24, 40, 60))

# mets, which breaks ties, on days without ties: two decimals of jitter that depend on the row only.
untied <- events
untied$day <- untied$day * 1000 - seq_len(nrow(untied))
untied_persons <- transform(persons, stop = stop * 1000 + id, start = 0)
two <- tmerge(untied_persons, untied_persons, id = id, tstop = stop, dead = event(stop, death))
two <- tmerge(two, untied, id = id, recur = event(day))
marginal <- recurrentMarginal(phreg(Surv(tstart, tstop, recur) ~ cluster(id), data = two),
                              phreg(Surv(tstart, tstop, dead) ~ cluster(id), data = two))
at <- c(6, 12, 24, 40, 50) * 1000
place <- findInterval(at, marginal$times)

cat("{\"models\": {\"data\": ", columns_of(bladder2, c("id", "start", "stop", "event", "enum", "rx", "size", "number")),
    ",\n\"efron\": ", models(bladder2, "efron"), ",\n\"breslow\": ", models(bladder2, "breslow"), "},\n\"counts\": [\n",
    paste(bladder, delayed, alive, counts("untied", untied_persons, untied, at), sep = ",\n"),
    "\n],\n\"survfit\": ", object(at = numbers(nelson$time), values = numbers(nelson$cumhaz),
                                  standard_errors = numbers(nelson$std.chaz)),
    ",\n\"mets\": ", object(at = numbers(at), values = numbers(marginal$mu[place]),
                           standard_errors = numbers(marginal$se.mu[place])), "}\n", sep = "")
