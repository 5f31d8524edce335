-- Days on which a person may be a member of the comparison: on one study drug alone, the eve too, or adding a second that day. Time is cut
-- where another condition becomes known, so that the indication of a row is that of each of its days; where the study does not compare
-- within indications it is the same for all. added_drug_id: the drug added on the row's last day.
-- grain: exposure_rule, person_id, start_date
WITH spell AS (
  SELECT
    t.exposure_rule,
    t.person_id,
    t.drug_id,
    t.drug_start_date,
    t.added_drug_id,
    t.start_date + 1 AS start_date,
    CASE WHEN t.added_drug_id IS NULL THEN t.stop_date ELSE t.stop_date + 1 END AS stop_date
  FROM cohort.monotherapy AS t
),
cut AS (
  SELECT s.exposure_rule, s.person_id, s.start_date AS spell_date, s.start_date AS cut_date
  FROM spell AS s
  WHERE s.start_date < s.stop_date
  UNION
  SELECT s.exposure_rule, s.person_id, s.start_date AS spell_date, c.known_date AS cut_date
  FROM spell AS s
  INNER JOIN cohort.condition_start AS c ON s.person_id = c.person_id AND s.start_date < c.known_date AND c.known_date < s.stop_date
),
piece AS (
  SELECT
    c.exposure_rule,
    c.person_id,
    c.spell_date,
    c.cut_date,
    LEAD(c.cut_date) OVER (PARTITION BY c.exposure_rule, c.person_id, c.spell_date ORDER BY c.cut_date) AS next_date
  FROM cut AS c
),
indicated AS (
  SELECT p.exposure_rule, p.person_id, p.cut_date, STRING_AGG(c.condition_id, '+' ORDER BY c.condition_id) AS indication
  FROM piece AS p
  INNER JOIN cohort.condition_start AS c ON p.person_id = c.person_id AND c.known_date <= p.cut_date
  GROUP BY p.exposure_rule, p.person_id, p.cut_date
)
SELECT
  p.exposure_rule,
  p.person_id,
  s.drug_id,
  CASE
    WHEN NOT u.compare_within_indication THEN 'all'
    WHEN NOT m.has_condition THEN 'unknown'
    ELSE COALESCE(i.indication, 'none')
  END AS indication,
  p.cut_date AS start_date,
  COALESCE(p.next_date, s.stop_date) AS stop_date,
  s.drug_start_date,
  CASE WHEN p.next_date IS NULL THEN s.added_drug_id END AS added_drug_id
FROM piece AS p
INNER JOIN spell AS s ON p.exposure_rule = s.exposure_rule AND p.person_id = s.person_id AND p.spell_date = s.start_date
CROSS JOIN meta.source AS m
CROSS JOIN spec.study AS u
LEFT JOIN indicated AS i ON p.exposure_rule = i.exposure_rule AND p.person_id = i.person_id AND p.cut_date = i.cut_date
