-- Days of continuous cover by one drug, without any gap, under each way of handling an early refill. What comes later, gaps,
-- tails and lengths, is cheap: it reads these rows instead of the records.
-- merge: a record covers its window. stockpile: what is left of earlier records is used first, so that record k ends at
-- C(k) + MAX over j <= k of (start(j) - C(j-1)), C being the days supplied so far. stockpile_capped: at most so many days are
-- carried from one record to the next, and never less than merge covers. Two administrations of one day are one dose.
-- grain: overlap_handling, stockpile_cap_days, person_id, drug_id, cover_number
WITH RECURSIVE handling AS (
  SELECT DISTINCT g.drug_id, g.overlap_handling, g.stockpile_cap_days
  FROM spec.drug_policy AS g
),
supplied AS (
  SELECT w.prescription_id, w.person_id, w.drug_id, w.record_type, w.start_date, w.stop_date, w.is_era_level
  FROM exposure."window" AS w
  WHERE w.record_use = 'used' AND w.stop_date IS NOT NULL
),

dosed AS (
  SELECT
    h.overlap_handling,
    h.stockpile_cap_days,
    s.prescription_id,
    s.person_id,
    s.drug_id,
    s.start_date,
    s.stop_date,
    s.is_era_level,
    CASE
      WHEN s.record_type = 'administration' AND ROW_NUMBER() OVER (
        PARTITION BY h.overlap_handling, h.stockpile_cap_days, s.person_id, s.drug_id, s.start_date, s.record_type
        ORDER BY s.stop_date DESC, s.prescription_id
      ) > 1 THEN 0
      ELSE DATE_DIFF('day', s.start_date, s.stop_date)
    END AS supply_days
  FROM supplied AS s
  INNER JOIN handling AS h ON s.drug_id = h.drug_id
  WHERE h.overlap_handling <> 'merge'
),

stocked AS (
  SELECT
    s.overlap_handling,
    s.stockpile_cap_days,
    s.prescription_id,
    s.person_id,
    s.drug_id,
    s.start_date,
    s.is_era_level,
    s.supply_days,
    SUM(s.supply_days) OVER (
      PARTITION BY s.overlap_handling, s.stockpile_cap_days, s.person_id, s.drug_id
      ORDER BY s.start_date, s.stop_date, s.prescription_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS supplied_days,
    ROW_NUMBER() OVER (
      PARTITION BY s.overlap_handling, s.stockpile_cap_days, s.person_id, s.drug_id
      ORDER BY s.start_date, s.stop_date, s.prescription_id
    ) AS record_number
  FROM dosed AS s
),

carried AS (
  SELECT
    k.overlap_handling,
    k.stockpile_cap_days,
    k.prescription_id,
    k.person_id,
    k.drug_id,
    k.start_date,
    DATE '1900-01-01' + CAST(k.supplied_days + MAX(DATE_DIFF('day', DATE '1900-01-01', k.start_date) - (k.supplied_days - k.supply_days)) OVER (
      PARTITION BY k.overlap_handling, k.stockpile_cap_days, k.person_id, k.drug_id
      ORDER BY k.record_number
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS INTEGER) AS stop_date,
    k.is_era_level
  FROM stocked AS k
  WHERE k.overlap_handling = 'stockpile'
),
capped AS (
  SELECT
    k.overlap_handling,
    k.stockpile_cap_days,
    k.prescription_id,
    k.person_id,
    k.drug_id,
    k.start_date,
    k.start_date + CAST(k.supply_days AS INTEGER) AS stop_date,
    k.is_era_level,
    k.record_number
  FROM stocked AS k
  WHERE k.overlap_handling = 'stockpile_capped' AND k.record_number = 1
  UNION ALL
  SELECT
    k.overlap_handling,
    k.stockpile_cap_days,
    k.prescription_id,
    k.person_id,
    k.drug_id,
    k.start_date,
    GREATEST(
      c.stop_date,
      k.start_date
      + CAST(k.supply_days + LEAST(GREATEST(DATE_DIFF('day', k.start_date, c.stop_date), 0), k.stockpile_cap_days) AS INTEGER)
    ) AS stop_date,
    k.is_era_level,
    k.record_number
  FROM capped AS c
  INNER JOIN stocked AS k
    ON
      c.overlap_handling = k.overlap_handling
      AND c.stockpile_cap_days = k.stockpile_cap_days
      AND c.person_id = k.person_id
      AND c.drug_id = k.drug_id
      AND c.record_number + 1 = k.record_number
),
effective AS (
  SELECT h.overlap_handling, h.stockpile_cap_days, s.prescription_id, s.person_id, s.drug_id, s.start_date, s.stop_date, s.is_era_level
  FROM supplied AS s
  INNER JOIN handling AS h ON s.drug_id = h.drug_id
  WHERE h.overlap_handling = 'merge'
  UNION ALL
  SELECT c.overlap_handling, c.stockpile_cap_days, c.prescription_id, c.person_id, c.drug_id, c.start_date, c.stop_date, c.is_era_level
  FROM carried AS c
  UNION ALL
  SELECT c.overlap_handling, c.stockpile_cap_days, c.prescription_id, c.person_id, c.drug_id, c.start_date, c.stop_date, c.is_era_level
  FROM capped AS c
),
placed AS (
  SELECT
    e.overlap_handling,
    e.stockpile_cap_days,
    e.person_id,
    e.drug_id,
    e.start_date,
    e.stop_date,
    e.is_era_level,
    MAX(e.stop_date) OVER (
      PARTITION BY e.overlap_handling, e.stockpile_cap_days, e.person_id, e.drug_id
      ORDER BY e.start_date, e.stop_date, e.prescription_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_until,
    ROW_NUMBER() OVER (
      PARTITION BY e.overlap_handling, e.stockpile_cap_days, e.person_id, e.drug_id ORDER BY e.start_date, e.stop_date, e.prescription_id
    ) AS record_number,
    MAX(e.stop_date) OVER (PARTITION BY e.overlap_handling, e.stockpile_cap_days, e.person_id, e.drug_id) AS last_stop_date,
    COUNT(*) OVER (PARTITION BY e.overlap_handling, e.stockpile_cap_days, e.person_id, e.drug_id) AS record_count
  FROM effective AS e
),
opening AS (
  SELECT
    p.overlap_handling,
    p.stockpile_cap_days,
    p.person_id,
    p.drug_id,
    p.start_date,
    p.covered_until,
    p.record_number,
    p.last_stop_date,
    p.record_count,
    p.is_era_level
  FROM placed AS p
  WHERE p.covered_until IS NULL OR p.start_date > p.covered_until
)
SELECT
  o.overlap_handling,
  o.stockpile_cap_days,
  o.person_id,
  o.drug_id,
  ROW_NUMBER() OVER (PARTITION BY o.overlap_handling, o.stockpile_cap_days, o.person_id, o.drug_id ORDER BY o.record_number) AS cover_number,
  o.start_date,
  COALESCE(
    LEAD(o.covered_until) OVER (PARTITION BY o.overlap_handling, o.stockpile_cap_days, o.person_id, o.drug_id ORDER BY o.record_number),
    o.last_stop_date
  ) AS stop_date,
  COALESCE(
    LEAD(o.record_number) OVER (PARTITION BY o.overlap_handling, o.stockpile_cap_days, o.person_id, o.drug_id ORDER BY o.record_number),
    o.record_count + 1
  ) - o.record_number AS prescription_count,
  o.is_era_level
FROM opening AS o
