-- First events of each group of opportunistic infections and time at risk, overall and by level, under the primary exposure rule.
-- A group is followed for itself, as a component is: from cohort entry to the first record of any of its members, whatever other
-- infection came before. Who has a record of one within the episode gap before entry is not at risk. assessable_count: the members
-- that a table of the source, and for diagnoses a vocabulary, could hold.
-- grain: exposure_rule, outcome_id, group_id, dimension, level
WITH state AS (
  SELECT
    l.exposure_rule,
    l.lag_days,
    l.person_id,
    l.start_date,
    l.stop_date,
    DATE_DIFF('day', l.start_date, l.stop_date) AS day_count,
    CASE l.risk_drug_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS study_drugs_level,
    CASE l.toruner_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS toruner_level,
    CASE l.broad_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS broad_level
  FROM cohort.lagged_state AS l
  INNER JOIN spec.exposure_rule AS x ON l.exposure_rule = x.exposure_rule
  WHERE x.is_primary
),
levelled AS (
  SELECT
    s.exposure_rule, s.lag_days, s.person_id, s.start_date, s.stop_date, s.day_count, 'overall' AS dimension, 'all' AS level
  FROM state AS s
  UNION ALL
  SELECT
    s.exposure_rule, s.lag_days, s.person_id, s.start_date, s.stop_date, s.day_count, 'study_drugs' AS dimension,
    s.study_drugs_level AS level
  FROM state AS s
  UNION ALL
  SELECT
    s.exposure_rule, s.lag_days, s.person_id, s.start_date, s.stop_date, s.day_count, 'toruner' AS dimension,
    s.toruner_level AS level
  FROM state AS s
  UNION ALL
  SELECT
    s.exposure_rule, s.lag_days, s.person_id, s.start_date, s.stop_date, s.day_count, 'broad' AS dimension,
    s.broad_level AS level
  FROM state AS s
),
everybody AS (
  SELECT
    l.exposure_rule, l.lag_days, l.dimension, l.level, COUNT(DISTINCT l.person_id) AS person_count,
    CAST(SUM(l.day_count) AS BIGINT) AS person_days
  FROM levelled AS l
  GROUP BY l.exposure_rule, l.lag_days, l.dimension, l.level
),
recorded AS (
  SELECT
    e.exposure_rule,
    c.outcome_id,
    g.group_id,
    e.person_id,
    o.lag_days,
    MIN(CASE WHEN r.record_date >= e.entry_date THEN r.record_date END) AS event_date,
    MAX(CASE
      WHEN r.record_date < e.entry_date AND r.record_date + CAST(o.episode_gap_days AS INTEGER) >= e.entry_date THEN 1
      ELSE 0
    END) AS is_prevalent
  FROM cohort.outcome_record AS r
  INNER JOIN spec.outcome_component AS c ON r.outcome_id = c.outcome_id AND r.component_id = c.component_id
  INNER JOIN reference.infection_group AS g ON c.component_id = g.component_id
  INNER JOIN spec.outcome AS o ON r.outcome_id = o.outcome_id
  INNER JOIN cohort.entry AS e ON r.person_id = e.person_id
  INNER JOIN spec.exposure_rule AS x ON e.exposure_rule = x.exposure_rule
  WHERE x.is_primary
  GROUP BY e.exposure_rule, c.outcome_id, g.group_id, e.person_id, o.lag_days
),
lost AS (
  SELECT
    r.exposure_rule,
    r.outcome_id,
    r.group_id,
    r.person_id,
    l.dimension,
    l.level,
    SUM(l.day_count) AS held_days,
    SUM(CASE
      WHEN r.is_prevalent = 1 OR r.event_date < l.start_date THEN l.day_count
      WHEN r.event_date + 1 < l.stop_date THEN DATE_DIFF('day', r.event_date + 1, l.stop_date)
      ELSE 0
    END) AS lost_days,
    SUM(CASE WHEN r.is_prevalent = 0 AND l.start_date <= r.event_date AND r.event_date < l.stop_date THEN 1 ELSE 0 END)
      AS event_count
  FROM recorded AS r
  INNER JOIN levelled AS l
    ON r.exposure_rule = l.exposure_rule AND r.lag_days = l.lag_days AND r.person_id = l.person_id
  GROUP BY r.exposure_rule, r.outcome_id, r.group_id, r.person_id, l.dimension, l.level
),
lost_in_all AS (
  SELECT
    t.exposure_rule, t.outcome_id, t.group_id, t.dimension, t.level,
    CAST(SUM(CASE WHEN t.lost_days = t.held_days THEN 1 ELSE 0 END) AS BIGINT) AS person_count,
    CAST(SUM(t.lost_days) AS BIGINT) AS person_days,
    CAST(SUM(t.event_count) AS BIGINT) AS event_count
  FROM lost AS t
  GROUP BY t.exposure_rule, t.outcome_id, t.group_id, t.dimension, t.level
),
vocabulary AS (
  SELECT DISTINCT c.code_system
  FROM staged.condition AS c
  WHERE c.code_system IS NOT NULL
),
vocabulary_count AS (
  SELECT COUNT(*) AS known_count
  FROM vocabulary AS v
),
findable AS (
  SELECT k.outcome_id, k.component_id
  FROM spec.outcome_code AS k
  CROSS JOIN meta.source AS m
  CROSS JOIN vocabulary_count AS n
  LEFT JOIN vocabulary AS v ON k.vocabulary = v.code_system
  WHERE NOT k.is_exclusion AND m.has_condition AND (v.code_system IS NOT NULL OR n.known_count = 0)
  UNION DISTINCT
  SELECT t.outcome_id, t.component_id
  FROM spec.outcome_term AS t
  CROSS JOIN meta.source AS m
  WHERE m.has_adverse_event
),
member AS (
  SELECT
    c.outcome_id,
    g.group_id,
    COUNT(*) AS member_count,
    COUNT(f.component_id) AS assessable_count
  FROM spec.outcome_component AS c
  INNER JOIN reference.infection_group AS g ON c.component_id = g.component_id
  LEFT JOIN findable AS f ON c.outcome_id = f.outcome_id AND c.component_id = f.component_id
  GROUP BY c.outcome_id, g.group_id
)
SELECT
  a.exposure_rule,
  c.outcome_id,
  c.group_id,
  a.dimension,
  a.level,
  a.person_count - COALESCE(t.person_count, 0) AS person_count,
  a.person_days - COALESCE(t.person_days, 0) AS person_days,
  COALESCE(t.event_count, 0) AS event_count,
  c.member_count,
  c.assessable_count
FROM member AS c
INNER JOIN spec.outcome AS o ON c.outcome_id = o.outcome_id
INNER JOIN everybody AS a ON o.lag_days = a.lag_days
LEFT JOIN lost_in_all AS t
  ON
    a.exposure_rule = t.exposure_rule
    AND c.outcome_id = t.outcome_id
    AND c.group_id = t.group_id
    AND a.dimension = t.dimension
    AND a.level = t.level
