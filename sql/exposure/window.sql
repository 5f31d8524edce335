-- Days that one record covers, what says so, and whether it is used: supply, end date, quantity or the drug's interval, in this
-- order. A record is reversed when a reversal takes it back, and superseded when a used record of the same person, drug and day
-- comes from a better source: administration before dispensing before order.
-- An induction dose covers the days to the next planned one. Dose days are days on which used records start; a course begins
-- where no earlier record names a day of the drug's look-back, and its doses are counted while every day since that look-back is
-- observed. Else the person may have been treated before, and the interval holds. An era as delivered is no dose.
-- Doses in units of mass are in mg. Administrations of one day are one dose: the sum, where every part is known in one unit.
-- grain: prescription_id
WITH unit AS (
  SELECT DISTINCT x.dose_unit AS received, NULLIF(LOWER(TRIM(x.dose_unit)), '') AS dose_unit
  FROM staged.prescription AS x
  WHERE x.dose_unit IS NOT NULL
),
measure AS (
  SELECT
    u.received,
    CASE
      WHEN u.dose_unit IN ('g', 'gm', 'gram', 'grams') THEN 1000
      WHEN u.dose_unit IN ('mg', 'milligram', 'milligrams') THEN 1
      WHEN u.dose_unit IN ('ug', 'mcg', 'µg', 'μg', 'microgram', 'micrograms') THEN 0.001
    END AS milligrams,
    u.dose_unit
  FROM unit AS u
),
drug_record AS (
  SELECT
    x.prescription_id,
    x.person_id,
    x.drug_id,
    x.record_type,
    CASE x.record_type WHEN 'administration' THEN 1 WHEN 'dispensing' THEN 2 ELSE 3 END AS source_rank,
    x.start_date,
    x.stop_date,
    x.days_supply,
    x.quantity,
    CEIL(ROUND(x.quantity * 1000) / NULLIF(ROUND(d.units_per_day * 1000), 0)) AS quantity_days,
    x.dose * COALESCE(u.milligrams, 1) AS dose,
    CASE WHEN u.milligrams IS NOT NULL THEN 'mg' ELSE u.dose_unit END AS dose_unit,
    x.is_era_level,
    d.is_injectable,
    d.interval_days,
    d.washout_days
  FROM staged.prescription AS x
  INNER JOIN spec.drug AS d ON x.drug_id = d.drug_id
  LEFT JOIN measure AS u ON x.dose_unit = u.received
  WHERE d.role IN ('study', 'background')
),
taken_back AS (
  SELECT
    r.prescription_id,
    v.record_count,
    ROW_NUMBER() OVER (
      PARTITION BY r.person_id, r.drug_id, r.record_type, r.start_date, r.quantity ORDER BY r.prescription_id
    ) AS record_number
  FROM drug_record AS r
  INNER JOIN staged.reversal AS v
    ON
      r.person_id = v.person_id
      AND r.drug_id = v.drug_id
      AND r.record_type = v.record_type
      AND r.start_date = v.start_date
      AND r.quantity = v.quantity
),
reversed AS (
  SELECT t.prescription_id FROM taken_back AS t WHERE t.record_number <= t.record_count
),
mixed_day AS (
  SELECT r.person_id, r.drug_id, r.start_date, MIN(r.source_rank) AS best_rank
  FROM drug_record AS r
  LEFT JOIN reversed AS b ON r.prescription_id = b.prescription_id
  WHERE b.prescription_id IS NULL
  GROUP BY r.person_id, r.drug_id, r.start_date
  HAVING MIN(r.source_rank) < MAX(r.source_rank)
),
judged AS (
  SELECT
    r.prescription_id,
    r.person_id,
    r.drug_id,
    r.record_type,
    r.start_date,
    r.stop_date,
    r.days_supply,
    r.quantity_days,
    r.interval_days,
    r.washout_days,
    CASE
      WHEN r.days_supply > 1 AND r.days_supply <= 400 THEN 'days_supply'
      WHEN r.days_supply = 1 AND NOT r.is_injectable THEN 'days_supply'
      WHEN r.stop_date > r.start_date + 1 THEN 'end_date'
      WHEN r.stop_date = r.start_date + 1 AND NOT r.is_injectable THEN 'end_date'
      WHEN r.quantity_days >= 1 AND r.quantity_days <= 400 THEN 'quantity'
    END AS named_by,
    CASE
      WHEN b.prescription_id IS NOT NULL THEN 'reversed'
      WHEN r.source_rank > y.best_rank THEN 'superseded'
      ELSE 'used'
    END AS record_use,
    CAST(CASE WHEN r.dose > 0 AND r.dose <= 1000000000 THEN r.dose END AS DECIMAL(18, 6)) AS dose,
    r.dose_unit,
    r.is_era_level
  FROM drug_record AS r
  LEFT JOIN reversed AS b ON r.prescription_id = b.prescription_id
  LEFT JOIN mixed_day AS y ON r.person_id = y.person_id AND r.drug_id = y.drug_id AND r.start_date = y.start_date
),
record AS (
  SELECT
    j.prescription_id,
    j.person_id,
    j.drug_id,
    j.record_type,
    j.start_date,
    CASE j.named_by
      WHEN 'days_supply' THEN j.start_date + CAST(ROUND(j.days_supply) AS INTEGER)
      WHEN 'end_date' THEN j.stop_date
      WHEN 'quantity' THEN j.start_date + CAST(j.quantity_days AS INTEGER)
    END AS named_stop_date,
    j.named_by,
    j.interval_days,
    j.washout_days,
    j.record_use,
    j.dose,
    j.dose_unit,
    j.is_era_level
  FROM judged AS j
),
dose_day AS (
  SELECT
    r.person_id,
    r.drug_id,
    r.start_date,
    MIN(r.washout_days) AS washout_days,
    MAX(COALESCE(r.named_stop_date, r.start_date + 1)) AS named_stop_date
  FROM record AS r
  INNER JOIN spec.induction AS n ON r.drug_id = n.drug_id AND n.dose_number = 1
  WHERE r.record_use = 'used' AND NOT r.is_era_level
  GROUP BY r.person_id, r.drug_id, r.start_date
),
preceded AS (
  SELECT
    d.person_id,
    d.drug_id,
    d.start_date,
    d.start_date - CAST(d.washout_days AS INTEGER) AS look_back_date,
    MAX(d.named_stop_date) OVER (
      PARTITION BY d.person_id, d.drug_id ORDER BY d.start_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS named_until
  FROM dose_day AS d
),
numbered AS (
  SELECT
    p.person_id,
    p.drug_id,
    p.start_date,
    p.look_back_date,
    SUM(CASE WHEN p.named_until IS NULL OR p.named_until <= p.look_back_date THEN 1 ELSE 0 END) OVER (
      PARTITION BY p.person_id, p.drug_id ORDER BY p.start_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS course_number
  FROM preceded AS p
),
counted AS (
  SELECT
    n.person_id,
    n.drug_id,
    n.start_date,
    ROW_NUMBER() OVER (PARTITION BY n.person_id, n.drug_id, n.course_number ORDER BY n.start_date) AS dose_number,
    MIN(n.look_back_date) OVER (PARTITION BY n.person_id, n.drug_id, n.course_number) AS look_back_date
  FROM numbered AS n
),
induction_dose AS (
  SELECT c.person_id, c.drug_id, c.start_date, n.cover_days
  FROM counted AS c
  INNER JOIN spec.induction AS n ON c.drug_id = n.drug_id AND c.dose_number = n.dose_number
  INNER JOIN staged.observation_period AS o
    ON c.person_id = o.person_id AND o.start_date <= c.look_back_date AND o.stop_date >= c.start_date
),
split_dose AS (
  SELECT
    r.person_id,
    r.drug_id,
    r.start_date,
    CASE
      WHEN COUNT(*) = COUNT(r.dose) AND MIN(COALESCE(r.dose_unit, '')) = MAX(COALESCE(r.dose_unit, '')) THEN SUM(r.dose)
    END AS dose
  FROM record AS r
  WHERE r.record_use = 'used' AND r.record_type = 'administration'
  GROUP BY r.person_id, r.drug_id, r.start_date
  HAVING COUNT(*) > 1
)
SELECT
  r.prescription_id,
  r.person_id,
  r.drug_id,
  r.record_type,
  r.start_date,
  COALESCE(r.named_stop_date, r.start_date + CAST(COALESCE(i.cover_days, r.interval_days) AS INTEGER)) AS stop_date,
  CASE
    WHEN r.named_by IS NOT NULL THEN r.named_by
    WHEN i.cover_days IS NOT NULL THEN 'induction'
    WHEN r.interval_days IS NOT NULL THEN 'interval'
    ELSE 'window_unknown'
  END AS window_source,
  r.record_use,
  CASE WHEN s.person_id IS NULL THEN r.dose WHEN s.dose <= 1000000000 THEN CAST(s.dose AS DECIMAL(18, 6)) END AS day_dose,
  r.dose_unit,
  r.is_era_level
FROM record AS r
LEFT JOIN induction_dose AS i
  ON r.person_id = i.person_id AND r.drug_id = i.drug_id AND r.start_date = i.start_date AND r.record_use = 'used'
LEFT JOIN split_dose AS s
  ON
    r.person_id = s.person_id
    AND r.drug_id = s.drug_id
    AND r.start_date = s.start_date
    AND r.record_type = 'administration'
    AND r.record_use = 'used'
