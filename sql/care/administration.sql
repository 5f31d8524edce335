-- Doses of study drugs that were administered in observed time: all administrations of one person, drug and day are one dose.
-- dose_minute: the earliest time that is known. dose_number: counted over all days with an administration of the drug, observed or
-- not. It is known where every day from the washout before the first of them to the dose is observed, so that none was missed, and
-- the drug was not dispensed before, which may have been doses at home. risk_regimen_id: the study drugs covered or in tail on the
-- day, under the primary rule.
-- grain: person_id, drug_id, dose_date
WITH given AS (
  SELECT
    w.person_id,
    w.drug_id,
    w.start_date AS dose_date,
    MIN(x.start_minute) AS dose_minute,
    CASE WHEN MIN(x.site_of_care) = MAX(x.site_of_care) THEN MIN(x.site_of_care) END AS site_of_care,
    MAX(x.observed_minutes) AS observed_minutes,
    COUNT(*) AS record_count
  FROM exposure."window" AS w
  INNER JOIN staged.prescription AS x ON w.prescription_id = x.prescription_id
  WHERE w.record_use = 'used' AND w.record_type = 'administration' AND NOT w.is_era_level
  GROUP BY w.person_id, w.drug_id, w.start_date
),
dispensed AS (
  SELECT w.person_id, w.drug_id, MIN(w.start_date) AS first_date
  FROM exposure."window" AS w
  WHERE w.record_use = 'used' AND w.record_type = 'dispensing'
  GROUP BY w.person_id, w.drug_id
),
numbered AS (
  SELECT
    g.person_id,
    g.drug_id,
    g.dose_date,
    g.dose_minute,
    g.site_of_care,
    g.observed_minutes,
    g.record_count,
    ROW_NUMBER() OVER (PARTITION BY g.person_id, g.drug_id ORDER BY g.dose_date) AS dose_number
  FROM given AS g
),
begun AS (
  SELECT g.person_id, g.drug_id, MIN(g.dose_date) AS first_date
  FROM given AS g
  GROUP BY g.person_id, g.drug_id
)
SELECT
  n.person_id,
  n.drug_id,
  n.dose_date,
  n.dose_minute,
  n.dose_number,
  p.first_date IS NULL AND o.start_date <= b.first_date - CAST(COALESCE(d.washout_days, s.look_back_days) AS INTEGER)
    AS is_number_known,
  n.site_of_care,
  n.observed_minutes,
  n.record_count,
  i.risk_regimen_id,
  i.risk_drug_count
FROM numbered AS n
INNER JOIN begun AS b ON n.person_id = b.person_id AND n.drug_id = b.drug_id
INNER JOIN spec.drug AS d ON n.drug_id = d.drug_id AND d.role = 'study'
CROSS JOIN spec.study AS s
INNER JOIN spec.exposure_rule AS r ON r.is_primary
INNER JOIN staged.observation_period AS o
  ON n.person_id = o.person_id AND o.start_date <= n.dose_date AND n.dose_date < o.stop_date
INNER JOIN exposure.combination_interval AS i
  ON
    r.exposure_rule = i.exposure_rule
    AND n.person_id = i.person_id
    AND i.start_date <= n.dose_date
    AND n.dose_date < i.stop_date
LEFT JOIN dispensed AS p ON n.person_id = p.person_id AND n.drug_id = p.drug_id AND p.first_date < n.dose_date
WHERE n.dose_date >= COALESCE(s.start_date, n.dose_date) AND n.dose_date <= COALESCE(s.end_date, n.dose_date)
