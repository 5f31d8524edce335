-- Each drug under each way of handling its records that a rule asks for, numbered: covers are computed once for each of these,
-- and no finer than the shortest gap of those rules needs.
-- grain: handling_number
SELECT
  CAST(ROW_NUMBER() OVER (
    ORDER BY g.drug_id, g.overlap_handling, g.stockpile_cap_days, g.dose_change, g.bridges_hospital_stays
  ) AS INTEGER) AS handling_number,
  g.drug_id,
  g.overlap_handling,
  g.stockpile_cap_days,
  g.dose_change,
  g.bridges_hospital_stays,
  MIN(g.gap_days) AS shortest_gap_days
FROM spec.drug_policy AS g
GROUP BY g.drug_id, g.overlap_handling, g.stockpile_cap_days, g.dose_change, g.bridges_hospital_stays
