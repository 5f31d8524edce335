-- Observed time of each person cut into maximal intervals with a constant set of drug classes; together they are all of it.
-- class_regimen_id: classes of study and background drugs covered. risk_class_regimen_id: covered or in the risk tail, which is
-- never shorter than the gap. Two drugs of one class are one class. biologic_count: biologics covered or in tail, each drug one.
-- Two sweeps: the drugs of a class are counted day by day, which unites their windows; then the classes of a person are one
-- number of two bits a class (1 at risk, 2 covered) at its place, place 0 for observed time. A BIGINT has places for the 30
-- commonest classes; a set of rarer ones is numbered apart. No name of a class holds a '+', so that no two sets read alike.
-- grain: exposure_rule, person_id, start_date
WITH drug_use AS (
  SELECT e.drug_id, COUNT(*) AS episode_count
  FROM exposure.episode AS e
  GROUP BY e.drug_id
),
class_use AS (
  SELECT d.drug_class, CAST(SUM(COALESCE(u.episode_count, 0)) AS BIGINT) AS episode_count
  FROM spec.drug AS d
  LEFT JOIN drug_use AS u ON d.drug_id = u.drug_id
  WHERE d.role IN ('study', 'background')
  GROUP BY d.drug_class
),
placed_class AS (
  SELECT
    c.drug_class,
    ROW_NUMBER() OVER (ORDER BY c.episode_count DESC, c.drug_class) AS place
  FROM class_use AS c
),
policy AS (
  SELECT
    g.exposure_rule,
    CAST(s.rule_number AS INTEGER) AS rule_number,
    g.drug_id,
    p.place,
    CASE WHEN d.is_biologic THEN 1 ELSE 0 END AS biologic_weight,
    GREATEST(g.gap_days, g.tail_days) AS risk_tail_days
  FROM spec.drug_policy AS g
  INNER JOIN spec.drug AS d ON g.drug_id = d.drug_id
  INNER JOIN placed_class AS p ON d.drug_class = p.drug_class
  INNER JOIN spec.exposure_rule AS s ON g.exposure_rule = s.exposure_rule
  WHERE d.role IN ('study', 'background')
),
risk_window AS (
  SELECT
    g.rule_number,
    e.person_id,
    g.place,
    g.biologic_weight,
    e.start_date,
    e.stop_date AS covered_until,
    LEAST(e.stop_date + CAST(g.risk_tail_days AS INTEGER), COALESCE(e.next_start_date, e.stop_date + CAST(g.risk_tail_days AS INTEGER)))
      AS risk_until
  FROM exposure.episode AS e
  INNER JOIN policy AS g ON e.exposure_rule = g.exposure_rule AND e.drug_id = g.drug_id
),
drug_event AS (
  SELECT
    r.rule_number, r.person_id, r.place, r.start_date AS event_date,
    1 AS covered_change, 1 AS risk_change, r.biologic_weight AS biologic_change
  FROM risk_window AS r
  UNION ALL
  SELECT
    r.rule_number, r.person_id, r.place, r.covered_until AS event_date,
    -1 AS covered_change, 0 AS risk_change, 0 AS biologic_change
  FROM risk_window AS r
  UNION ALL
  SELECT
    r.rule_number, r.person_id, r.place, r.risk_until AS event_date,
    0 AS covered_change, -1 AS risk_change, -r.biologic_weight AS biologic_change
  FROM risk_window AS r
),
-- Days count as wholes in each of these sums, so that the order of two events of one day does not matter.
counted AS (
  SELECT
    v.rule_number,
    v.person_id,
    v.place,
    v.event_date,
    LEAD(v.event_date) OVER (PARTITION BY v.rule_number, v.person_id, v.place ORDER BY v.event_date) AS next_date,
    SUM(v.covered_change) OVER (
      PARTITION BY v.rule_number, v.person_id, v.place ORDER BY v.event_date RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS covered_count,
    SUM(v.covered_change) OVER (
      PARTITION BY v.rule_number, v.person_id, v.place ORDER BY v.event_date RANGE BETWEEN CURRENT ROW AND CURRENT ROW
    ) AS covered_change,
    SUM(v.risk_change) OVER (
      PARTITION BY v.rule_number, v.person_id, v.place ORDER BY v.event_date RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS risk_count,
    SUM(v.risk_change) OVER (
      PARTITION BY v.rule_number, v.person_id, v.place ORDER BY v.event_date RANGE BETWEEN CURRENT ROW AND CURRENT ROW
    ) AS risk_change,
    SUM(v.biologic_change) OVER (
      PARTITION BY v.rule_number, v.person_id, v.place ORDER BY v.event_date RANGE BETWEEN CURRENT ROW AND CURRENT ROW
    ) AS biologic_change
  FROM drug_event AS v
),
class_state AS (
  SELECT
    c.rule_number,
    c.person_id,
    c.place,
    c.event_date,
    c.next_date,
    CASE WHEN c.covered_count > 0 THEN 2 WHEN c.risk_count > 0 THEN 1 ELSE 0 END AS digit,
    CASE WHEN c.covered_count > c.covered_change THEN 2 WHEN c.risk_count > c.risk_change THEN 1 ELSE 0 END AS digit_before,
    c.biologic_change
  FROM counted AS c
  WHERE c.event_date < c.next_date OR c.next_date IS NULL
),
event AS (
  SELECT
    c.rule_number,
    c.person_id,
    c.event_date,
    CASE
      WHEN c.place <= 30 THEN (c.digit - c.digit_before) * (CAST(1 AS BIGINT) << CAST(2 * LEAST(c.place, 30) AS INTEGER))
      ELSE CAST(0 AS BIGINT)
    END AS weight,
    c.biologic_change
  FROM class_state AS c
  WHERE c.digit <> c.digit_before OR c.biologic_change <> 0
  UNION ALL
  SELECT
    CAST(s.rule_number AS INTEGER) AS rule_number, o.person_id, o.start_date AS event_date, CAST(1 AS BIGINT) AS weight,
    0 AS biologic_change
  FROM staged.observation_period AS o
  CROSS JOIN spec.exposure_rule AS s
  UNION ALL
  SELECT
    CAST(s.rule_number AS INTEGER) AS rule_number, o.person_id, o.stop_date AS event_date, CAST(-1 AS BIGINT) AS weight,
    0 AS biologic_change
  FROM staged.observation_period AS o
  CROSS JOIN spec.exposure_rule AS s
),
swept AS (
  SELECT
    v.rule_number,
    v.person_id,
    v.event_date,
    LEAD(v.event_date) OVER (PARTITION BY v.rule_number, v.person_id ORDER BY v.event_date) AS next_date,
    CAST(SUM(v.weight) OVER (
      PARTITION BY v.rule_number, v.person_id ORDER BY v.event_date RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS BIGINT) AS state,
    CAST(SUM(v.biologic_change) OVER (
      PARTITION BY v.rule_number, v.person_id ORDER BY v.event_date RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS BIGINT) AS biologic_count
  FROM event AS v
),
segment AS (
  SELECT w.rule_number, w.person_id, w.event_date, w.state, w.biologic_count
  FROM swept AS w
  WHERE w.event_date < w.next_date OR w.next_date IS NULL
),
rare AS (
  SELECT
    s.rule_number,
    s.person_id,
    s.event_date,
    STRING_AGG(CONCAT(c.place, CASE WHEN c.digit = 2 THEN ' covered' ELSE ' at risk' END), '+' ORDER BY c.place) AS rare_classes
  FROM class_state AS c
  INNER JOIN segment AS s
    ON
      c.rule_number = s.rule_number
      AND c.person_id = s.person_id
      AND c.event_date <= s.event_date
      AND s.event_date < c.next_date
  WHERE c.place > 30 AND c.digit > 0 AND (s.state & 3) > 0
  GROUP BY s.rule_number, s.person_id, s.event_date
),
rare_set AS (
  SELECT r.rare_classes, ROW_NUMBER() OVER (ORDER BY r.rare_classes) AS rare_number
  FROM rare AS r
  GROUP BY r.rare_classes
),
numbered_rare AS (
  SELECT r.rule_number, r.person_id, r.event_date, n.rare_number
  FROM rare AS r
  INNER JOIN rare_set AS n ON r.rare_classes = n.rare_classes
),
held AS (
  SELECT
    s.rule_number,
    s.person_id,
    s.event_date,
    s.state,
    s.biologic_count,
    COALESCE(r.rare_number, 0) AS rare_number
  FROM segment AS s
  LEFT JOIN numbered_rare AS r ON s.rule_number = r.rule_number AND s.person_id = r.person_id AND s.event_date = r.event_date
),
compared AS (
  SELECT
    h.rule_number,
    h.person_id,
    h.event_date,
    h.state,
    h.biologic_count,
    h.rare_number,
    LAG(h.state) OVER (PARTITION BY h.rule_number, h.person_id ORDER BY h.event_date) AS state_before,
    LAG(h.biologic_count) OVER (PARTITION BY h.rule_number, h.person_id ORDER BY h.event_date) AS biologic_count_before,
    LAG(h.rare_number) OVER (PARTITION BY h.rule_number, h.person_id ORDER BY h.event_date) AS rare_number_before
  FROM held AS h
),
-- The days on which something changes, the end of observed time among them: each lasts until the next.
changed AS (
  SELECT
    c.rule_number,
    c.person_id,
    c.event_date AS start_date,
    LEAD(c.event_date) OVER (PARTITION BY c.rule_number, c.person_id ORDER BY c.event_date) AS stop_date,
    c.state,
    c.biologic_count,
    c.rare_number
  FROM compared AS c
  WHERE
    c.state_before IS NULL
    OR c.state <> c.state_before
    OR c.biologic_count <> c.biologic_count_before
    OR c.rare_number <> c.rare_number_before
),
known AS (
  SELECT DISTINCT c.state, c.rare_number
  FROM changed AS c
  WHERE (c.state & 3) > 0
),
digit AS (
  SELECT k.state, k.rare_number, p.place, (k.state >> CAST(2 * p.place AS INTEGER)) & 3 AS digit
  FROM known AS k
  CROSS JOIN placed_class AS p
  WHERE p.place <= 30
  UNION ALL
  SELECT
    k.state,
    k.rare_number,
    p.place,
    CASE WHEN CONTAINS(CONCAT('+', r.rare_classes), CONCAT('+', p.place, ' covered')) THEN 2 ELSE 1 END AS digit
  FROM known AS k
  INNER JOIN rare_set AS r ON k.rare_number = r.rare_number
  INNER JOIN placed_class AS p ON p.place > 30 AND CONTAINS(CONCAT('+', r.rare_classes), CONCAT('+', p.place, ' '))
),
spelt AS (
  SELECT
    g.state,
    g.rare_number,
    STRING_AGG(CASE WHEN g.digit = 2 THEN p.drug_class END, '+' ORDER BY p.drug_class) AS class_regimen_id,
    STRING_AGG(p.drug_class, '+' ORDER BY p.drug_class) AS risk_class_regimen_id,
    COUNT(CASE WHEN g.digit = 2 THEN 1 END) AS class_count,
    COUNT(*) AS risk_class_count
  FROM digit AS g
  INNER JOIN placed_class AS p ON g.place = p.place
  WHERE g.digit > 0
  GROUP BY g.state, g.rare_number
)
SELECT
  s.exposure_rule,
  c.person_id,
  c.start_date,
  c.stop_date,
  COALESCE(t.class_regimen_id, 'none') AS class_regimen_id,
  COALESCE(t.risk_class_regimen_id, 'none') AS risk_class_regimen_id,
  COALESCE(t.class_count, 0) AS class_count,
  COALESCE(t.risk_class_count, 0) AS risk_class_count,
  c.biologic_count
FROM changed AS c
INNER JOIN spec.exposure_rule AS s ON c.rule_number = s.rule_number
LEFT JOIN spelt AS t ON c.state = t.state AND c.rare_number = t.rare_number
WHERE (c.state & 3) > 0
