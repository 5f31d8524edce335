-- Outcome events of each person: records of the outcome, a later one within episode_gap_days of the one before it being the same
-- event.
-- grain: person_id, outcome_id, event_number
WITH ordered AS (
  SELECT
    r.person_id,
    r.outcome_id,
    r.component_id,
    r.record_date,
    r.record_table,
    r.record_id,
    LAG(r.record_date) OVER (
      PARTITION BY r.person_id, r.outcome_id ORDER BY r.record_date, r.record_table, r.record_id, r.component_id
    ) AS previous_date
  FROM cohort.outcome_record AS r
),
numbered AS (
  SELECT
    q.person_id,
    q.outcome_id,
    q.component_id,
    q.record_date,
    q.record_table,
    q.record_id,
    SUM(CASE WHEN q.previous_date IS NULL OR DATE_DIFF('day', q.previous_date, q.record_date) > o.episode_gap_days THEN 1 ELSE 0 END)
      OVER (
        PARTITION BY q.person_id, q.outcome_id ORDER BY q.record_date, q.record_table, q.record_id, q.component_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS event_number
  FROM ordered AS q
  INNER JOIN spec.outcome AS o ON q.outcome_id = o.outcome_id
)
SELECT
  n.person_id,
  n.outcome_id,
  CAST(n.event_number AS BIGINT) AS event_number,
  MIN(n.record_date) AS event_date,
  MAX(n.record_date) AS last_record_date,
  MIN(n.component_id) AS component_id,
  COUNT(DISTINCT CONCAT(n.record_table, '/', n.record_id)) AS record_count
FROM numbered AS n
GROUP BY n.person_id, n.outcome_id, n.event_number
