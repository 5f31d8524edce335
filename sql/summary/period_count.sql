-- Pooled periods: follow-up from entry cut into periods; exposure is the lagged state on the period's first day, a case the
-- first outcome in it. Cells count periods, by age band, sex and calendar year on that day. Negative controls are left out.
-- grain: exposure_rule, outcome_id, ladder, level, age_band, sex, calendar_year
WITH numbered AS (
  SELECT
    t.exposure_rule,
    t.outcome_id,
    t.person_id,
    t.risk_drug_count,
    t.toruner_count,
    t.broad_count,
    e.entry_date,
    s.period_days,
    CAST(CEIL(t.start_day / s.period_days) AS BIGINT) AS first_period,
    CAST(FLOOR((t.stop_day - 1) / s.period_days) AS BIGINT) AS last_period
  FROM cohort.person_time AS t
  INNER JOIN cohort.entry AS e ON t.exposure_rule = e.exposure_rule AND t.person_id = e.person_id
  INNER JOIN spec.outcome AS o ON t.outcome_id = o.outcome_id AND NOT o.is_negative_control
  CROSS JOIN spec.study AS s
  WHERE t.population = 'all_time'
),
begun AS (
  SELECT
    n.exposure_rule,
    n.outcome_id,
    n.person_id,
    n.risk_drug_count,
    n.toruner_count,
    n.broad_count,
    n.period_days,
    n.entry_date + CAST(k.period_number * n.period_days AS INTEGER) AS period_date
  FROM numbered AS n
  CROSS JOIN UNNEST(GENERATE_SERIES(n.first_period, n.last_period)) AS k (period_number)
  WHERE n.first_period <= n.last_period
),
event AS (
  SELECT t.exposure_rule, t.outcome_id, t.person_id, t.stop_date - 1 AS event_date
  FROM cohort.person_time AS t
  WHERE t.population = 'all_time' AND t.event_count = 1
),
judged AS (
  SELECT
    b.exposure_rule,
    b.outcome_id,
    b.risk_drug_count,
    b.toruner_count,
    b.broad_count,
    p.sex,
    YEAR(b.period_date) AS calendar_year,
    CAST(FLOOR((
      YEAR(b.period_date) * 10000 + MONTH(b.period_date) * 100 + DAY(b.period_date)
      - YEAR(p.birth_date) * 10000 - MONTH(p.birth_date) * 100 - DAY(p.birth_date)
    ) / 10000) AS BIGINT) AS age_years,
    CASE
      WHEN v.event_date >= b.period_date AND DATE_DIFF('day', b.period_date, v.event_date) < b.period_days THEN 1
      ELSE 0
    END AS case_count
  FROM begun AS b
  INNER JOIN staged.person AS p ON b.person_id = p.person_id
  LEFT JOIN event AS v
    ON b.exposure_rule = v.exposure_rule AND b.outcome_id = v.outcome_id AND b.person_id = v.person_id
),
counted AS (
  SELECT
    j.exposure_rule, j.outcome_id, j.risk_drug_count, j.toruner_count, j.broad_count, a.age_band, j.sex, j.calendar_year,
    COUNT(*) AS period_count, CAST(SUM(j.case_count) AS BIGINT) AS case_count
  FROM judged AS j
  INNER JOIN spec.age_band AS a ON a.from_age <= j.age_years AND j.age_years < a.below_age
  GROUP BY
    j.exposure_rule, j.outcome_id, j.risk_drug_count, j.toruner_count, j.broad_count, a.age_band, j.sex, j.calendar_year
),
laddered AS (
  SELECT
    c.exposure_rule, c.outcome_id, 'study_drugs' AS ladder, c.risk_drug_count AS rung, c.age_band, c.sex, c.calendar_year,
    c.period_count, c.case_count
  FROM counted AS c
  UNION ALL
  SELECT
    c.exposure_rule, c.outcome_id, 'toruner' AS ladder, c.toruner_count AS rung, c.age_band, c.sex, c.calendar_year,
    c.period_count, c.case_count
  FROM counted AS c
  UNION ALL
  SELECT
    c.exposure_rule, c.outcome_id, 'broad' AS ladder, c.broad_count AS rung, c.age_band, c.sex, c.calendar_year,
    c.period_count, c.case_count
  FROM counted AS c
)
SELECT
  l.exposure_rule,
  l.outcome_id,
  l.ladder,
  CASE l.rung WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS level,
  l.age_band,
  l.sex,
  l.calendar_year,
  CAST(SUM(l.period_count) AS BIGINT) AS period_count,
  CAST(SUM(l.case_count) AS BIGINT) AS case_count
FROM laddered AS l
GROUP BY
  l.exposure_rule, l.outcome_id, l.ladder, CASE l.rung WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END, l.age_band, l.sex,
  l.calendar_year
