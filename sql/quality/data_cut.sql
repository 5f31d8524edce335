-- Last day of data: the study's setting, else the latest observed end, else the latest record; never the clock.
-- grain: one row
WITH observed AS (
  SELECT MAX(o.end_date) AS last_date
  FROM intake.observation_period AS o
),
record AS (
  SELECT p.start_date AS record_date FROM intake.prescription AS p
  UNION ALL
  SELECT a.onset_date AS record_date FROM intake.adverse_event AS a
  UNION ALL
  SELECT c.start_date AS record_date FROM intake.condition AS c
  UNION ALL
  SELECT d.death_date AS record_date FROM intake.death AS d
  UNION ALL
  SELECT t.stop_date AS record_date FROM intake.discontinuation AS t
  UNION ALL
  SELECT CAST(v.start_datetime AS DATE) AS record_date FROM intake.visit AS v
  UNION ALL
  SELECT CAST(m.datetime AS DATE) AS record_date FROM intake.measurement AS m
  UNION ALL
  SELECT y.date AS record_date FROM intake.symptom_score AS y
  UNION ALL
  SELECT z.date AS record_date FROM intake.procedure AS z
),
latest AS (
  SELECT MAX(r.record_date) AS last_date FROM record AS r
)
SELECT
  COALESCE(s.data_cut_date, o.last_date, l.last_date) AS data_cut_date,
  CASE
    WHEN s.data_cut_date IS NOT NULL THEN 'study'
    WHEN o.last_date IS NOT NULL THEN 'observation_period'
    ELSE 'latest_record'
  END AS data_cut_source
FROM spec.study AS s
CROSS JOIN observed AS o
CROSS JOIN latest AS l
