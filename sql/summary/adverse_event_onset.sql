-- Adverse events by days from the latest dose or other record of a study drug covered or in tail, by number of study drugs and class; an
-- event that no record precedes is left out.
-- grain: event_class, level, drug_day
WITH classed AS (
  SELECT a.adverse_event_id, 'any' AS event_class FROM care.adverse_event AS a
  UNION ALL
  SELECT a.adverse_event_id, 'serious' AS event_class FROM care.adverse_event AS a WHERE a.is_serious
)
SELECT
  c.event_class,
  CASE a.risk_drug_count WHEN 1 THEN '1' ELSE '>=2' END AS level,
  a.drug_day,
  COUNT(*) AS event_count
FROM care.adverse_event AS a
INNER JOIN classed AS c ON a.adverse_event_id = c.adverse_event_id
WHERE a.risk_drug_count > 0 AND a.drug_day IS NOT NULL
GROUP BY c.event_class, CASE a.risk_drug_count WHEN 1 THEN '1' ELSE '>=2' END, a.drug_day
