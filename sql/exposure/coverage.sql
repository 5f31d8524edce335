-- Runs of cover by one drug under each way of handling its records: the record that begins each, and what was covered before.
-- A run ends at the covered_until of the next one, the last at last_stop_date. What comes later, gaps, tails and lengths, is
-- cheap: it reads these rows instead of the records.
-- merge: a record covers its window. stockpile: what is left of earlier records is used first, so that record k ends at
-- C(k) + MAX over j <= k of (start(j) - C(j-1)), C being the days supplied so far. stockpile_capped: at most so many days are
-- carried from one record to the next, and never less than merge covers. Two administrations of one day are one dose.
-- At a change of dose what is left is carried as it is (carry), thrown away (discard), or becomes the whole days that the same
-- amount lasts at the new dose (convert). A stay in hospital that begins while the drug is used is covered to its last day.
-- grain: handling_number, person_id, start_date
WITH RECURSIVE supplied AS (
  SELECT
    h.handling_number,
    h.stockpile_cap_days,
    h.dose_change,
    h.overlap_handling = 'stockpile' AND h.dose_change = 'carry' AS is_unlimited,
    w.prescription_id,
    w.person_id,
    w.record_type,
    w.start_date,
    w.stop_date,
    w.day_dose,
    w.dose_unit,
    w.is_era_level
  FROM exposure."window" AS w
  INNER JOIN exposure.handling AS h ON w.drug_id = h.drug_id
  WHERE w.record_use = 'used' AND w.stop_date IS NOT NULL AND h.overlap_handling <> 'merge'
),
dosed AS (
  SELECT
    s.handling_number,
    s.stockpile_cap_days,
    s.dose_change,
    s.is_unlimited,
    s.prescription_id,
    s.person_id,
    s.start_date,
    s.stop_date,
    s.is_era_level,
    CASE
      WHEN s.record_type = 'administration' AND ROW_NUMBER() OVER (
        PARTITION BY s.person_id, s.handling_number, s.start_date, s.record_type
        ORDER BY s.stop_date DESC, s.prescription_id
      ) > 1 THEN 0
      ELSE DATE_DIFF('day', s.start_date, s.stop_date)
    END AS supply_days,
    CASE
      WHEN
        MIN(s.day_dose) OVER (PARTITION BY s.person_id, s.handling_number, s.start_date)
        = MAX(s.day_dose) OVER (PARTITION BY s.person_id, s.handling_number, s.start_date)
        AND MIN(s.dose_unit) OVER (PARTITION BY s.person_id, s.handling_number, s.start_date)
        = MAX(s.dose_unit) OVER (PARTITION BY s.person_id, s.handling_number, s.start_date)
        THEN CAST(NULLIF(MIN(s.day_dose) OVER (PARTITION BY s.person_id, s.handling_number, s.start_date), 0) * 1000000 AS BIGINT)
    END AS dose,
    MIN(s.dose_unit) OVER (PARTITION BY s.person_id, s.handling_number, s.start_date) AS dose_unit
  FROM supplied AS s
),
stocked AS (
  SELECT
    s.handling_number,
    s.stockpile_cap_days,
    s.dose_change,
    s.is_unlimited,
    s.person_id,
    s.start_date,
    s.is_era_level,
    s.supply_days,
    s.dose,
    CASE WHEN s.dose IS NOT NULL THEN s.dose_unit END AS dose_unit,
    SUM(s.supply_days) OVER (
      PARTITION BY s.person_id, s.handling_number
      ORDER BY s.start_date, s.stop_date, s.prescription_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS supplied_days,
    ROW_NUMBER() OVER (
      PARTITION BY s.person_id, s.handling_number
      ORDER BY s.start_date, s.stop_date, s.prescription_id
    ) AS record_number
  FROM dosed AS s
),
unlimited AS (
  SELECT
    k.handling_number,
    k.person_id,
    k.start_date,
    DATE '1900-01-01' + CAST(k.supplied_days + MAX(DATE_DIFF('day', DATE '1900-01-01', k.start_date) - (k.supplied_days - k.supply_days)) OVER (
      PARTITION BY k.person_id, k.handling_number
      ORDER BY k.record_number
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS INTEGER) AS stop_date,
    k.is_era_level
  FROM stocked AS k
  WHERE k.is_unlimited
),
limited AS (
  SELECT
    k.handling_number,
    k.person_id,
    k.start_date,
    k.start_date + CAST(k.supply_days AS INTEGER) AS stop_date,
    k.is_era_level,
    k.record_number,
    k.dose,
    k.dose_unit,
    FALSE AS is_dose_change
  FROM stocked AS k
  WHERE NOT k.is_unlimited AND k.record_number = 1
  UNION ALL
  SELECT
    k.handling_number,
    k.person_id,
    k.start_date,
    CASE
      WHEN k.dose_change = 'carry' OR NOT COALESCE(c.dose_unit = k.dose_unit AND c.dose <> k.dose, FALSE)
        THEN
          GREATEST(
            c.stop_date,
            k.start_date
            + CAST(k.supply_days + LEAST(GREATEST(DATE_DIFF('day', k.start_date, c.stop_date), 0), k.stockpile_cap_days) AS INTEGER)
          )
      ELSE
        k.start_date
        + CAST(k.supply_days + CASE
          WHEN k.dose_change = 'convert'
            THEN LEAST(
              FLOOR(CAST(GREATEST(DATE_DIFF('day', k.start_date, c.stop_date), 0) AS DOUBLE) * c.dose / k.dose), k.stockpile_cap_days
            )
          ELSE 0
        END AS INTEGER)
    END AS stop_date,
    k.is_era_level,
    k.record_number,
    COALESCE(k.dose, c.dose) AS dose,
    COALESCE(k.dose_unit, c.dose_unit) AS dose_unit,
    k.dose_change <> 'carry' AND COALESCE(c.dose_unit = k.dose_unit AND c.dose <> k.dose, FALSE) AS is_dose_change
  FROM limited AS c
  INNER JOIN stocked AS k
    ON
      c.handling_number = k.handling_number
      AND c.person_id = k.person_id
      AND c.record_number + 1 = k.record_number
),
-- What the old dose would still have covered ends where the new one begins.
changed AS (
  SELECT
    c.handling_number,
    c.person_id,
    c.start_date,
    c.stop_date,
    MIN(CASE WHEN c.is_dose_change THEN c.start_date END) OVER (
      PARTITION BY c.person_id, c.handling_number
      ORDER BY c.record_number
      ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
    ) AS changed_date,
    c.is_era_level
  FROM limited AS c
),
effective AS (
  SELECT h.handling_number, w.person_id, w.start_date, w.stop_date, w.is_era_level
  FROM exposure."window" AS w
  INNER JOIN exposure.handling AS h ON w.drug_id = h.drug_id
  WHERE w.record_use = 'used' AND w.stop_date IS NOT NULL AND h.overlap_handling = 'merge'
  UNION ALL
  SELECT u.handling_number, u.person_id, u.start_date, u.stop_date, u.is_era_level
  FROM unlimited AS u
  UNION ALL
  SELECT c.handling_number, c.person_id, c.start_date, LEAST(c.stop_date, COALESCE(c.changed_date, c.stop_date)) AS stop_date, c.is_era_level
  FROM changed AS c
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
