-- Observed time of each person: periods that overlap or touch merged, then cut at death and at the data cut.
-- Without the table a person is observed from the first dated record to the data cut.
-- grain: person_id, period_number
WITH first_record AS (
  SELECT r.person_id, MIN(r.record_date) AS start_date
  FROM (
    SELECT x.person_id, x.start_date AS record_date FROM staged.prescription AS x
    UNION ALL
    SELECT a.person_id, a.onset_date AS record_date FROM staged.adverse_event AS a
    UNION ALL
    SELECT c.person_id, c.start_date AS record_date FROM staged.condition AS c
    UNION ALL
    SELECT v.person_id, v.start_date AS record_date FROM staged.visit AS v
    UNION ALL
    SELECT t.person_id, t.stop_date - 1 AS record_date FROM staged.discontinuation AS t
    UNION ALL
    SELECT d.person_id, d.death_date AS record_date FROM staged.death AS d
  ) AS r
  GROUP BY r.person_id
),
received AS (
  SELECT p.person_id, o.start_date, COALESCE(o.end_date, k.data_cut_date) + 1 AS stop_date
  FROM intake.observation_period AS o
  INNER JOIN staged.person AS p ON o.person_source_value = p.person_source_value
  CROSS JOIN quality.data_cut AS k
  WHERE
    NOT EXISTS (
      SELECT 1 FROM quality.quarantine AS q
      WHERE q.table_name = 'observation_period' AND q.source_file = o.source_file AND q.row_number = o.row_number
    )
  UNION ALL
  SELECT f.person_id, f.start_date, k.data_cut_date + 1 AS stop_date
  FROM first_record AS f
  CROSS JOIN quality.data_cut AS k
  CROSS JOIN meta.source AS m
  WHERE NOT m.has_observation_period
),
cut AS (
  SELECT
    r.person_id,
    r.start_date,
    LEAST(r.stop_date, k.data_cut_date + 1, COALESCE(d.death_date + 1, r.stop_date)) AS stop_date
  FROM received AS r
  CROSS JOIN quality.data_cut AS k
  LEFT JOIN staged.death AS d ON r.person_id = d.person_id
),
placed AS (
  SELECT
    c.person_id,
    c.start_date,
    c.stop_date,
    MAX(c.stop_date) OVER (
      PARTITION BY c.person_id ORDER BY c.start_date, c.stop_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS observed_until
  FROM cut AS c
  WHERE c.start_date < c.stop_date
),
numbered AS (
  SELECT
    p.person_id,
    p.start_date,
    p.stop_date,
    SUM(CASE WHEN p.observed_until IS NULL OR p.start_date > p.observed_until THEN 1 ELSE 0 END) OVER (
      PARTITION BY p.person_id ORDER BY p.start_date, p.stop_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS period_number
  FROM placed AS p
)
SELECT
  n.person_id,
  CAST(n.period_number AS BIGINT) AS period_number,
  MIN(n.start_date) AS start_date,
  MAX(n.stop_date) AS stop_date
FROM numbered AS n
GROUP BY n.person_id, n.period_number
