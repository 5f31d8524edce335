-- Days that one record covers, and what says so: supply, end date or the drug's interval, in this order.
-- grain: prescription_id
WITH drug_record AS (
  SELECT
    x.prescription_id,
    x.person_id,
    x.drug_id,
    x.record_type,
    x.start_date,
    x.stop_date,
    x.days_supply,
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
  r.is_era_level
FROM drug_record AS r
