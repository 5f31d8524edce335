-- Administered doses from cohort entry on by the study drugs covered or in tail, and of how many of these drugs there are any: where not
-- of all, the doses under the regimen are not known.
-- grain: regimen_id
SELECT
  a.risk_regimen_id AS regimen_id,
  COUNT(*) AS administration_count,
  COUNT(DISTINCT a.drug_id) AS dosed_drug_count
FROM care.administration AS a
INNER JOIN spec.exposure_rule AS x ON x.is_primary
INNER JOIN cohort.entry AS e ON x.exposure_rule = e.exposure_rule AND a.person_id = e.person_id AND e.entry_date <= a.dose_date
GROUP BY a.risk_regimen_id
