-- Adverse events by system organ class and term, of each class (any, serious, severe, fatal, withdrawal, related), and the time in which
-- they were counted: by number of study drugs covered or in tail, and by which they are. event_count: all events, in all of the time.
-- first_event_count: first events of a person since cohort entry, in the time before them. By which drugs they are, single terms have
-- a row only where one occurred. The rows of all terms have term and system_organ_class all.
-- grain: system_organ_class, term, event_class, dimension, level
WITH state AS (
  SELECT
    e.person_id,
    GREATEST(i.start_date, e.entry_date) AS start_date,
    LEAST(i.stop_date, COALESCE(s.end_date + 1, i.stop_date)) AS stop_date,
    i.risk_regimen_id,
    CASE i.risk_drug_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS drug_level
  FROM cohort.entry AS e
  INNER JOIN spec.exposure_rule AS x ON e.exposure_rule = x.exposure_rule AND x.is_primary
  CROSS JOIN spec.study AS s
  INNER JOIN exposure.combination_interval AS i
    ON e.exposure_rule = i.exposure_rule AND e.person_id = i.person_id AND e.entry_date < i.stop_date
),
levelled AS (
  SELECT
    t.person_id, t.start_date, t.stop_date, 'study_drugs' AS dimension, t.drug_level AS level,
    DATE_DIFF('day', t.start_date, t.stop_date) AS day_count
  FROM state AS t
  WHERE t.start_date < t.stop_date
  UNION ALL
  SELECT
    t.person_id, t.start_date, t.stop_date, 'regimen' AS dimension, t.risk_regimen_id AS level,
    DATE_DIFF('day', t.start_date, t.stop_date) AS day_count
  FROM state AS t
  WHERE t.start_date < t.stop_date
),
everybody AS (
  SELECT l.dimension, l.level, COUNT(DISTINCT l.person_id) AS person_count, CAST(SUM(l.day_count) AS BIGINT) AS person_days
  FROM levelled AS l
  GROUP BY l.dimension, l.level
),
classed AS (
  SELECT a.adverse_event_id, 'any' AS event_class FROM care.adverse_event AS a
  UNION ALL
  SELECT a.adverse_event_id, 'serious' AS event_class FROM care.adverse_event AS a WHERE a.is_serious
  UNION ALL
  SELECT a.adverse_event_id, 'severe' AS event_class FROM care.adverse_event AS a WHERE a.is_severe
  UNION ALL
  SELECT a.adverse_event_id, 'fatal' AS event_class FROM care.adverse_event AS a WHERE a.is_fatal
  UNION ALL
  SELECT a.adverse_event_id, 'withdrawal' AS event_class FROM care.adverse_event AS a WHERE a.is_withdrawal
  UNION ALL
  SELECT a.adverse_event_id, 'related' AS event_class FROM care.adverse_event AS a WHERE a.is_related
),
occurred AS (
  SELECT
    a.adverse_event_id, a.person_id, a.system_organ_class, a.term, c.event_class, a.onset_date, a.risk_regimen_id,
    CASE a.risk_drug_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS drug_level
  FROM care.adverse_event AS a
  INNER JOIN classed AS c ON a.adverse_event_id = c.adverse_event_id
  UNION ALL
  SELECT
    a.adverse_event_id, a.person_id, 'all' AS system_organ_class, 'all' AS term, c.event_class, a.onset_date, a.risk_regimen_id,
    CASE a.risk_drug_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS drug_level
  FROM care.adverse_event AS a
  INNER JOIN classed AS c ON a.adverse_event_id = c.adverse_event_id
  UNION ALL
  SELECT
    a.adverse_event_id, a.person_id, a.system_organ_class, 'all' AS term, c.event_class, a.onset_date, a.risk_regimen_id,
    CASE a.risk_drug_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS drug_level
  FROM care.adverse_event AS a
  INNER JOIN classed AS c ON a.adverse_event_id = c.adverse_event_id
),
counted AS (
  SELECT
    o.system_organ_class, o.term, o.event_class, 'study_drugs' AS dimension, o.drug_level AS level,
    COUNT(DISTINCT o.person_id) AS person_count, COUNT(*) AS event_count
  FROM occurred AS o
  GROUP BY o.system_organ_class, o.term, o.event_class, o.drug_level
  UNION ALL
  SELECT
    o.system_organ_class, o.term, o.event_class, 'regimen' AS dimension, o.risk_regimen_id AS level,
    COUNT(DISTINCT o.person_id) AS person_count, COUNT(*) AS event_count
  FROM occurred AS o
  WHERE o.event_class = 'any' OR (o.term = 'all' AND o.system_organ_class = 'all')
  GROUP BY o.system_organ_class, o.term, o.event_class, o.risk_regimen_id
),
first_event AS (
  SELECT o.person_id, o.system_organ_class, o.term, o.event_class, MIN(o.onset_date) AS event_date
  FROM occurred AS o
  GROUP BY o.person_id, o.system_organ_class, o.term, o.event_class
),
lost AS (
  SELECT
    f.person_id,
    f.system_organ_class,
    f.term,
    f.event_class,
    l.dimension,
    l.level,
    SUM(l.day_count) AS held_days,
    SUM(CASE
      WHEN f.event_date < l.start_date THEN l.day_count
      WHEN f.event_date + 1 < l.stop_date THEN DATE_DIFF('day', f.event_date + 1, l.stop_date)
      ELSE 0
    END) AS lost_days,
    SUM(CASE WHEN l.start_date <= f.event_date AND f.event_date < l.stop_date THEN 1 ELSE 0 END) AS event_count
  FROM first_event AS f
  INNER JOIN levelled AS l ON f.person_id = l.person_id
  WHERE l.dimension = 'study_drugs' OR (f.event_class = 'any' OR (f.term = 'all' AND f.system_organ_class = 'all'))
  GROUP BY f.person_id, f.system_organ_class, f.term, f.event_class, l.dimension, l.level
),
lost_in_all AS (
  SELECT
    t.system_organ_class, t.term, t.event_class, t.dimension, t.level,
    CAST(SUM(CASE WHEN t.lost_days = t.held_days THEN 1 ELSE 0 END) AS BIGINT) AS person_count,
    CAST(SUM(t.lost_days) AS BIGINT) AS person_days,
    CAST(SUM(t.event_count) AS BIGINT) AS event_count
  FROM lost AS t
  GROUP BY t.system_organ_class, t.term, t.event_class, t.dimension, t.level
),
kind AS (
  SELECT DISTINCT o.system_organ_class, o.term, o.event_class
  FROM occurred AS o
  UNION DISTINCT
  SELECT 'all' AS system_organ_class, 'all' AS term, k.event_class
  FROM summary.adverse_event_class AS k
),
cell AS (
  SELECT k.system_organ_class, k.term, k.event_class, e.dimension, e.level, e.person_count, e.person_days
  FROM kind AS k
  CROSS JOIN everybody AS e
  WHERE e.dimension = 'study_drugs' OR (k.event_class = 'any' OR (k.term = 'all' AND k.system_organ_class = 'all'))
)
SELECT
  c.system_organ_class,
  c.term,
  c.event_class,
  c.dimension,
  c.level,
  c.person_count,
  c.person_days,
  COALESCE(n.person_count, 0) AS event_person_count,
  COALESCE(n.event_count, 0) AS event_count,
  c.person_count - COALESCE(t.person_count, 0) AS first_person_count,
  c.person_days - COALESCE(t.person_days, 0) AS first_person_days,
  COALESCE(t.event_count, 0) AS first_event_count
FROM cell AS c
LEFT JOIN counted AS n
  ON
    c.system_organ_class = n.system_organ_class
    AND c.term = n.term
    AND c.event_class = n.event_class
    AND c.dimension = n.dimension
    AND c.level = n.level
LEFT JOIN lost_in_all AS t
  ON
    c.system_organ_class = t.system_organ_class
    AND c.term = t.term
    AND c.event_class = t.event_class
    AND c.dimension = t.dimension
    AND c.level = t.level
WHERE
  c.dimension = 'study_drugs'
  OR (c.term = 'all' AND c.system_organ_class = 'all')
  OR COALESCE(n.event_count, 0) > 0
