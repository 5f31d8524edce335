-- Days that one record covers, what says so, and whether it is used: supply, end date or the drug's interval, in this order.
-- A record is reversed when a reversal takes it back, and superseded when a used record of the same person, drug and day comes
-- from a better source: administration before dispensing before order.
-- grain: prescription_id
WITH drug_record AS (
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
    x.is_era_level,
    d.interval_days,
    CASE
      WHEN x.days_supply > 1 AND x.days_supply <= 400 THEN 'days_supply'
      WHEN x.days_supply = 1 AND NOT d.is_injectable THEN 'days_supply'
      WHEN x.stop_date > x.start_date + 1 THEN 'end_date'
      WHEN x.stop_date = x.start_date + 1 AND NOT d.is_injectable THEN 'end_date'
      WHEN d.interval_days IS NOT NULL THEN 'interval'
      ELSE 'window_unknown'
    END AS window_source
  FROM staged.prescription AS x
  INNER JOIN spec.drug AS d ON x.drug_id = d.drug_id
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
)
SELECT
  r.prescription_id,
  r.person_id,
  r.drug_id,
  r.record_type,
  r.start_date,
  CASE r.window_source
    WHEN 'days_supply' THEN r.start_date + CAST(ROUND(r.days_supply) AS INTEGER)
    WHEN 'end_date' THEN r.stop_date
    WHEN 'interval' THEN r.start_date + CAST(r.interval_days AS INTEGER)
  END AS stop_date,
  r.window_source,
  CASE
    WHEN b.prescription_id IS NOT NULL THEN 'reversed'
    WHEN r.source_rank > y.best_rank THEN 'superseded'
    ELSE 'used'
  END AS record_use,
  r.is_era_level
FROM drug_record AS r
LEFT JOIN reversed AS b ON r.prescription_id = b.prescription_id
LEFT JOIN mixed_day AS y ON r.person_id = y.person_id AND r.drug_id = y.drug_id AND r.start_date = y.start_date
