-- Those who add a second study drug and those who go on with the first alone, as they were before time zero. broad_count: classes of the
-- broad ladder on the eve, the drug's own among them.
-- grain: exposure_rule, set_number, member_number
SELECT
  c.exposure_rule,
  c.set_number,
  c.member_number,
  c.person_id,
  c.is_combination,
  c.drug_id,
  c.added_drug_id,
  c.time_zero,
  DATE_DIFF('day', c.drug_start_date, c.time_zero) AS drug_days,
  p.sex,
  CAST(FLOOR((
    YEAR(c.time_zero) * 10000 + MONTH(c.time_zero) * 100 + DAY(c.time_zero)
    - YEAR(p.birth_date) * 10000 - MONTH(p.birth_date) * 100 - DAY(p.birth_date)
  ) / 10000) AS BIGINT) AS age_years,
  YEAR(c.time_zero) AS calendar_year,
  n.indication,
  i.broad_count,
  b.charlson_score,
  b.hospital_days,
  b.steroid_days,
  b.prior_event_count
FROM cohort.comparison_sample AS c
INNER JOIN staged.person AS p ON c.person_id = p.person_id
INNER JOIN cohort.indication AS n
  ON c.exposure_rule = n.exposure_rule AND c.person_id = n.person_id AND c.time_zero = n.baseline_date
INNER JOIN cohort.baseline_covariate AS b
  ON c.exposure_rule = b.exposure_rule AND c.person_id = b.person_id AND c.time_zero = b.baseline_date
INNER JOIN exposure.combination_interval AS i
  ON
    c.exposure_rule = i.exposure_rule
    AND c.person_id = i.person_id
    AND i.start_date <= c.time_zero - 1
    AND c.time_zero - 1 < i.stop_date
