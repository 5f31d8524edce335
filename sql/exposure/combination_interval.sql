-- Observed time of each person cut into maximal intervals with a constant set of drugs; together they are all of it.
-- regimen_id: study drugs covered. risk_regimen_id: study drugs covered or in their risk tail, which is never shorter than
-- the gap. The ladder counts are classes of study and background drugs, covered or in tail.
-- A sweep over the days on which something begins or ends: time grows with the episodes, not with their square. The state is
-- a number of two bits a drug (1 at risk, 2 a study drug covered) at its place, place 0 for observed time; the windows of
-- one drug are disjoint, so the running sum of what begins and ends is the state. A BIGINT has places for the 30 commonest
-- drugs; a set of rarer ones at risk is numbered apart, for the few days that have one. Each state is spelt out once.
-- grain: exposure_rule, person_id, start_date
WITH drug_use AS (
  SELECT e.drug_id, COUNT(*) AS episode_count
  FROM exposure.episode AS e
  GROUP BY e.drug_id
),
placed_drug AS (
  SELECT
    d.drug_id,
    d.role = 'study' AS is_study,
    DENSE_RANK() OVER (ORDER BY d.drug_class) AS class_number,
    ROW_NUMBER() OVER (ORDER BY d.drug_id) AS drug_number,
    d.counts_toruner,
    d.counts_broad,
    ROW_NUMBER() OVER (ORDER BY COALESCE(u.episode_count, 0) DESC, d.drug_id) AS place
  FROM spec.drug AS d
  LEFT JOIN drug_use AS u ON d.drug_id = u.drug_id
  WHERE d.role IN ('study', 'background')
),
rule AS (
  SELECT s.exposure_rule, CAST(s.rule_number AS INTEGER) AS rule_number
  FROM spec.exposure_rule AS s
),
policy AS (
  SELECT
    g.exposure_rule,
    s.rule_number,
    g.drug_id,
    p.place,
    p.is_study,
    GREATEST(g.gap_days, g.tail_days) AS risk_tail_days,
    CASE WHEN p.place <= 30 THEN CAST(1 AS BIGINT) << CAST(2 * LEAST(p.place, 30) AS INTEGER) ELSE CAST(0 AS BIGINT) END AS weight
  FROM spec.drug_policy AS g
  INNER JOIN placed_drug AS p ON g.drug_id = p.drug_id
  INNER JOIN rule AS s ON g.exposure_rule = s.exposure_rule
),
risk_window AS (
  SELECT
    g.rule_number,
    e.person_id,
    g.place,
    g.is_study,
    g.weight,
    e.start_date,
    e.stop_date AS covered_until,
    LEAST(e.stop_date + CAST(g.risk_tail_days AS INTEGER), COALESCE(e.next_start_date, e.stop_date + CAST(g.risk_tail_days AS INTEGER)))
      AS risk_until
  FROM exposure.episode AS e
  INNER JOIN policy AS g ON e.exposure_rule = g.exposure_rule AND e.drug_id = g.drug_id
),
event AS (
  SELECT r.rule_number, r.person_id, r.start_date AS event_date, CASE WHEN r.is_study THEN 2 * r.weight ELSE r.weight END AS weight
  FROM risk_window AS r
  UNION ALL
  SELECT r.rule_number, r.person_id, r.covered_until AS event_date, -r.weight AS weight
  FROM risk_window AS r
  WHERE r.is_study
  UNION ALL
  SELECT r.rule_number, r.person_id, r.risk_until AS event_date, -r.weight AS weight
  FROM risk_window AS r
  UNION ALL
  SELECT s.rule_number, o.person_id, o.start_date AS event_date, CAST(1 AS BIGINT) AS weight
  FROM staged.observation_period AS o
  CROSS JOIN rule AS s
  UNION ALL
  SELECT s.rule_number, o.person_id, o.stop_date AS event_date, CAST(-1 AS BIGINT) AS weight
  FROM staged.observation_period AS o
  CROSS JOIN rule AS s
),
-- Days count as wholes in each of these sums, so that the order of two events of one day does not matter.
swept AS (
  SELECT
    v.rule_number,
    v.person_id,
    v.event_date,
    LEAD(v.event_date) OVER (PARTITION BY v.person_id, v.rule_number ORDER BY v.event_date) AS next_date,
    CAST(SUM(v.weight) OVER (
      PARTITION BY v.person_id, v.rule_number ORDER BY v.event_date RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS BIGINT) AS state,
    CAST(SUM(v.weight) OVER (
      PARTITION BY v.person_id, v.rule_number ORDER BY v.event_date RANGE BETWEEN CURRENT ROW AND CURRENT ROW
    ) AS BIGINT) AS change
  FROM event AS v
),
segment AS (
  SELECT
    w.rule_number,
    w.person_id,
    w.event_date AS start_date,
    w.next_date AS stop_date,
    w.state,
    w.state - w.change AS state_before
  FROM swept AS w
  WHERE w.event_date < w.next_date AND (w.state & 3) > 0
),
rare AS (
  SELECT
    s.rule_number,
    s.person_id,
    s.start_date,
    s.stop_date,
    STRING_AGG(
      CONCAT(r.place, CASE WHEN r.is_study AND s.start_date < r.covered_until THEN ' covered' ELSE ' at risk' END), '+' ORDER BY r.place
    ) AS rare_drugs
  FROM risk_window AS r
  INNER JOIN segment AS s
    ON
      r.rule_number = s.rule_number
      AND r.person_id = s.person_id
      AND r.start_date <= s.start_date
      AND s.start_date < r.risk_until
  WHERE r.place > 30
  GROUP BY s.rule_number, s.person_id, s.start_date, s.stop_date
),
rare_set AS (
  SELECT r.rare_drugs, ROW_NUMBER() OVER (ORDER BY r.rare_drugs) AS rare_number
  FROM rare AS r
  GROUP BY r.rare_drugs
),
numbered_rare AS (
  SELECT r.rule_number, r.person_id, r.start_date, r.stop_date, n.rare_number
  FROM rare AS r
  INNER JOIN rare_set AS n ON r.rare_drugs = n.rare_drugs
),
held AS (
  SELECT
    s.rule_number,
    s.person_id,
    s.start_date,
    s.stop_date,
    s.state,
    s.state_before,
    COALESCE(r.rare_number, 0) AS rare_number,
    COALESCE(b.rare_number, 0) AS rare_number_before
  FROM segment AS s
  LEFT JOIN numbered_rare AS r ON s.rule_number = r.rule_number AND s.person_id = r.person_id AND s.start_date = r.start_date
  LEFT JOIN numbered_rare AS b ON s.rule_number = b.rule_number AND s.person_id = b.person_id AND s.start_date = b.stop_date
),
known AS (
  SELECT DISTINCT h.state, h.rare_number
  FROM held AS h
),
digit AS (
  SELECT k.state, k.rare_number, p.place, (k.state >> CAST(2 * p.place AS INTEGER)) & 3 AS digit
  FROM known AS k
  CROSS JOIN placed_drug AS p
  WHERE p.place <= 30
  UNION ALL
  SELECT
    k.state,
    k.rare_number,
    p.place,
    CASE WHEN CONTAINS(CONCAT('+', r.rare_drugs), CONCAT('+', p.place, ' covered')) THEN 2 ELSE 1 END AS digit
  FROM known AS k
  INNER JOIN rare_set AS r ON k.rare_number = r.rare_number
  INNER JOIN placed_drug AS p ON p.place > 30 AND CONTAINS(CONCAT('+', r.rare_drugs), CONCAT('+', p.place, ' '))
),
spelt AS (
  SELECT
    g.state,
    g.rare_number,
    STRING_AGG(CASE WHEN p.is_study AND g.digit = 2 THEN p.drug_id END, '+' ORDER BY p.drug_number) AS regimen_id,
    STRING_AGG(CASE WHEN p.is_study THEN p.drug_id END, '+' ORDER BY p.drug_number) AS risk_regimen_id,
    COUNT(CASE WHEN p.is_study AND g.digit = 2 THEN 1 END) AS drug_count,
    COUNT(CASE WHEN p.is_study THEN 1 END) AS risk_drug_count,
    COUNT(DISTINCT CASE WHEN p.counts_toruner THEN p.class_number END) AS toruner_count,
    COUNT(DISTINCT CASE WHEN p.counts_broad THEN p.class_number END) AS broad_count
  FROM digit AS g
  INNER JOIN placed_drug AS p ON g.place = p.place
  WHERE g.digit > 0
  GROUP BY g.state, g.rare_number
),
named AS (
  SELECT
    k.state,
    k.rare_number,
    COALESCE(t.regimen_id, 'none') AS regimen_id,
    COALESCE(t.risk_regimen_id, 'none') AS risk_regimen_id,
    COALESCE(t.drug_count, 0) AS drug_count,
    COALESCE(t.risk_drug_count, 0) AS risk_drug_count,
    COALESCE(t.toruner_count, 0) AS toruner_count,
    COALESCE(t.broad_count, 0) AS broad_count
  FROM known AS k
  LEFT JOIN spelt AS t ON k.state = t.state AND k.rare_number = t.rare_number
),
-- States that the columns cannot tell apart, as two background drugs of one class, have one number.
kind AS (
  SELECT
    n.state,
    n.rare_number,
    n.regimen_id,
    n.risk_regimen_id,
    n.drug_count,
    n.risk_drug_count,
    n.toruner_count,
    n.broad_count,
    DENSE_RANK() OVER (ORDER BY n.regimen_id, n.risk_regimen_id, n.toruner_count, n.broad_count) AS kind_number
  FROM named AS n
),
study_bits AS (
  SELECT CAST(3 + COALESCE(SUM(3 * (CAST(1 AS BIGINT) << CAST(2 * p.place AS INTEGER))), 0) AS BIGINT) AS bits
  FROM placed_drug AS p
  WHERE p.is_study AND p.place <= 30
),
-- Segments that only lengthen the one before: runs of them, each to be added to the segment that it touches. Where a study
-- drug changes the kind does too, so that only the others need to be compared. HAVING holds for every run: it makes planners
-- expect few of them, as there are, and so look them up instead of all segments.
lengthening AS (
  SELECT
    h.rule_number,
    h.person_id,
    h.start_date,
    h.stop_date,
    CASE
      WHEN h.start_date = LAG(h.stop_date) OVER (PARTITION BY h.person_id, h.rule_number ORDER BY h.start_date) THEN 0
      ELSE 1
    END AS is_first
  FROM held AS h
  CROSS JOIN study_bits AS m
  INNER JOIN kind AS k ON h.state = k.state AND h.rare_number = k.rare_number
  INNER JOIN kind AS b ON h.state_before = b.state AND h.rare_number_before = b.rare_number AND k.kind_number = b.kind_number
  WHERE (h.state & m.bits) = (h.state_before & m.bits)
),
numbered AS (
  SELECT
    l.rule_number,
    l.person_id,
    l.start_date,
    l.stop_date,
    SUM(l.is_first) OVER (
      PARTITION BY l.person_id, l.rule_number ORDER BY l.start_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS run_number
  FROM lengthening AS l
),
run AS (
  SELECT n.rule_number, n.person_id, MIN(n.start_date) AS start_date, MAX(n.stop_date) AS stop_date
  FROM numbered AS n
  GROUP BY n.rule_number, n.person_id, n.run_number
  HAVING MIN(n.start_date) < MAX(n.stop_date)
)
SELECT
  s.exposure_rule,
  h.person_id,
  h.start_date,
  COALESCE(r.stop_date, h.stop_date) AS stop_date,
  k.regimen_id,
  k.risk_regimen_id,
  k.drug_count,
  k.risk_drug_count,
  k.toruner_count,
  k.broad_count
FROM held AS h
INNER JOIN rule AS s ON h.rule_number = s.rule_number
INNER JOIN kind AS k ON h.state = k.state AND h.rare_number = k.rare_number
LEFT JOIN lengthening AS l ON h.rule_number = l.rule_number AND h.person_id = l.person_id AND h.start_date = l.start_date
LEFT JOIN run AS r ON h.rule_number = r.rule_number AND h.person_id = r.person_id AND h.stop_date = r.start_date
WHERE l.person_id IS NULL
