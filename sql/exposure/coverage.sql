-- Runs of cover by one drug under each way of handling its records: the record that begins each, and what was covered before.
-- A run ends at the covered_until of the next one, the last at last_stop_date. What comes later, gaps, tails and lengths, is
-- cheap: it reads these rows instead of the records. merge: a record covers its window; else it lasts as exposure.supply says.
-- A stay in hospital is covered to its last day where the day before it is covered.
-- grain: handling_number, person_id, start_date
WITH effective AS (
  SELECT h.handling_number, w.person_id, w.start_date, w.stop_date, w.is_era_level
  FROM exposure."window" AS w
  INNER JOIN exposure.handling AS h ON w.drug_id = h.drug_id
  WHERE w.record_use = 'used' AND w.stop_date IS NOT NULL AND h.overlap_handling = 'merge'
  UNION ALL
  SELECT s.handling_number, s.person_id, s.start_date, s.stop_date, s.is_era_level
  FROM exposure.supply AS s
),
shelter AS (
  SELECT h.handling_number, y.person_id, y.start_date, y.stop_date
  FROM exposure.hospital_stay AS y
  INNER JOIN exposure.handling AS h ON h.bridges_hospital_stays
),
-- Stays are disjoint, so that at most one holds the day after the last day covered.
bridged AS (
  SELECT e.handling_number, e.person_id, e.start_date, COALESCE(y.stop_date, e.stop_date) AS stop_date, e.is_era_level
  FROM effective AS e
  LEFT JOIN shelter AS y
    ON
      e.handling_number = y.handling_number
      AND e.person_id = y.person_id
      AND e.start_date < y.start_date
      AND y.start_date <= e.stop_date
      AND e.stop_date < y.stop_date
),
-- Records that tie in start_date and stop_date are equal but for era level, which the records of one drug share.
placed AS (
  SELECT
    e.handling_number,
    e.person_id,
    e.start_date,
    MAX(e.stop_date) OVER (
      PARTITION BY e.person_id, e.handling_number ORDER BY e.start_date, e.stop_date
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_until,
    ROW_NUMBER() OVER (PARTITION BY e.person_id, e.handling_number ORDER BY e.start_date, e.stop_date) AS record_number,
    MAX(e.stop_date) OVER (PARTITION BY e.person_id, e.handling_number) AS last_stop_date,
    COUNT(*) OVER (PARTITION BY e.person_id, e.handling_number) AS record_count,
    e.is_era_level
  FROM bridged AS e
)
SELECT
  p.handling_number,
  p.person_id,
  p.start_date,
  p.covered_until,
  p.record_number,
  p.last_stop_date,
  p.record_count,
  p.is_era_level
FROM placed AS p
INNER JOIN exposure.handling AS h ON p.handling_number = h.handling_number
WHERE
  p.covered_until IS NULL
  OR DATE_DIFF('day', p.covered_until, p.start_date) > CASE WHEN p.is_era_level THEN 0 ELSE h.shortest_gap_days END
