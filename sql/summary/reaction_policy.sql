-- Reactions to a drug that the observation after its dose would have seen, under each named policy: latency and number of the dose
-- known, primary window. captured_count is NULL where the policy names no number of minutes; supervised_count are the reactions after
-- doses that it wants in a health-care setting.
-- grain: outcome_id, drug_id, policy_id
WITH reacted AS (
  SELECT r.outcome_id, CAST(r.drug_id AS VARCHAR) AS drug_id, r.dose_number, r.latency_minutes
  FROM care.reaction AS r
  INNER JOIN spec.reaction_window AS w ON r.window_hours = w.window_hours AND w.is_primary
  WHERE r.latency_minutes IS NOT NULL AND r.is_number_known
),
dosed AS (
  SELECT DISTINCT CAST(a.drug_id AS VARCHAR) AS drug_id
  FROM care.administration AS a
)
SELECT
  o.outcome_id,
  p.drug_id,
  p.policy_id,
  COUNT(r.latency_minutes) AS reaction_count,
  CASE
    WHEN COUNT(p.observed_minutes) = COUNT(*) THEN COUNT(CASE WHEN r.latency_minutes <= p.observed_minutes THEN 1 END)
  END AS captured_count,
  COUNT(CASE WHEN r.latency_minutes IS NOT NULL AND p.is_supervised = 1 THEN 1 END) AS supervised_count
FROM reference.observation_policy AS p
INNER JOIN dosed AS d ON p.drug_id = d.drug_id
CROSS JOIN spec.outcome AS o
LEFT JOIN reacted AS r
  ON
    o.outcome_id = r.outcome_id
    AND p.drug_id = r.drug_id
    AND p.from_dose <= r.dose_number
    AND r.dose_number <= COALESCE(p.to_dose, r.dose_number)
WHERE o.is_reaction
GROUP BY o.outcome_id, p.drug_id, p.policy_id
