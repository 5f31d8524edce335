-- Records that mean an outcome: adverse events by term, or whatever their term, of the seriousness and severity that count;
-- diagnoses by the longest code prefix of their vocabulary; deaths.
-- grain: person_id, outcome_id, component_id, record_table, record_id
WITH code AS (
  SELECT DISTINCT c.code_system, c.code
  FROM staged.condition AS c
  WHERE c.code_system IS NOT NULL
),
matched AS (
  SELECT
    c.code_system,
    c.code,
    p.outcome_id,
    p.component_id,
    p.is_exclusion,
    ROW_NUMBER() OVER (
      PARTITION BY c.code_system, c.code, p.outcome_id, p.component_id
      ORDER BY LENGTH(p.code_prefix) DESC, p.is_exclusion DESC, p.code_prefix
    ) AS match_number
  FROM code AS c
  INNER JOIN spec.outcome_code AS p ON c.code_system = p.vocabulary AND STARTS_WITH(c.code, p.code_prefix)
),
diagnosis AS (
  SELECT
    c.person_id,
    m.outcome_id,
    m.component_id,
    CASE o.date_rule
      WHEN 'start' THEN c.start_date
      WHEN 'end' THEN COALESCE(c.stop_date - 1, c.start_date)
      ELSE COALESCE(MAX(v.stop_date) - 1, c.start_date)
    END AS record_date,
    COALESCE(c.setting, MIN(CASE WHEN v.visit_type = 'inpatient' THEN 'inpatient' END)) AS setting,
    c.position,
    c.condition_id
  FROM staged.condition AS c
  INNER JOIN matched AS m
    ON c.code_system = m.code_system AND c.code = m.code AND m.match_number = 1 AND NOT m.is_exclusion
  INNER JOIN spec.outcome AS o ON m.outcome_id = o.outcome_id
  LEFT JOIN staged.visit AS v
    ON c.person_id = v.person_id AND v.start_date <= c.start_date AND c.start_date < v.stop_date
  GROUP BY
    c.person_id, m.outcome_id, m.component_id, o.date_rule, c.start_date, c.stop_date, c.setting, c.position, c.condition_id
),
event AS (
  SELECT a.adverse_event_id, t.outcome_id, t.component_id
  FROM staged.adverse_event AS a
  INNER JOIN spec.outcome_term AS t ON LOWER(a.term) = t.term
  UNION ALL
  SELECT a.adverse_event_id, o.outcome_id, o.outcome_id AS component_id
  FROM staged.adverse_event AS a
  CROSS JOIN spec.outcome AS o
  WHERE o.any_term
)
SELECT d.person_id, d.outcome_id, d.component_id, d.record_date, 'condition' AS record_table, d.condition_id AS record_id
FROM diagnosis AS d
INNER JOIN spec.outcome AS o ON d.outcome_id = o.outcome_id
WHERE (o.setting = 'any' OR d.setting = o.setting) AND (o.position = 'any' OR d.position = o.position)
UNION ALL
SELECT
  a.person_id, v.outcome_id, v.component_id, a.onset_date AS record_date, 'adverse_event' AS record_table,
  a.adverse_event_id AS record_id
FROM event AS v
INNER JOIN staged.adverse_event AS a ON v.adverse_event_id = a.adverse_event_id
INNER JOIN spec.outcome AS o ON v.outcome_id = o.outcome_id
LEFT JOIN spec.outcome_severity AS w ON v.outcome_id = w.outcome_id AND LOWER(TRIM(a.severity)) = w.severity
WHERE (NOT o.serious_only OR COALESCE(a.is_serious, FALSE)) AND (o.any_severity OR w.severity IS NOT NULL)
UNION ALL
SELECT
  d.person_id, o.outcome_id, o.outcome_id AS component_id, d.death_date AS record_date, 'death' AS record_table,
  d.person_id AS record_id
FROM staged.death AS d
CROSS JOIN spec.outcome AS o
WHERE o.is_death
