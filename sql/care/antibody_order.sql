-- Who began a second biologic: whether they had antibodies to an earlier one before that day, and whether antibodies to the second were found
-- from that day on. Both must have been tested, the earlier before the start and the second after it; else the start is counted as not tested.
-- grain: second_drug_id, standing
WITH started AS (
  SELECT g.person_id, g.drug_id, g.dose_date AS start_date, g.is_numbered
  FROM care.given_dose AS g
  INNER JOIN spec.drug AS d ON g.drug_id = d.drug_id AND d.is_biologic
  WHERE g.dose_number = 1
),
second_start AS (
  SELECT
    b.person_id,
    b.drug_id,
    b.start_date,
    MAX(CASE WHEN x.first_test_date < b.start_date THEN 1 ELSE 0 END) AS is_first_tested,
    MAX(CASE WHEN x.first_positive_date < b.start_date THEN 1 ELSE 0 END) AS had_antibody
  FROM started AS b
  INNER JOIN started AS a ON b.person_id = a.person_id AND a.start_date < b.start_date
  LEFT JOIN care.antibody AS x ON a.person_id = x.person_id AND a.drug_id = x.drug_id
  WHERE b.is_numbered
  GROUP BY b.person_id, b.drug_id, b.start_date
),
judged AS (
  SELECT
    s.person_id,
    CAST(s.drug_id AS VARCHAR) AS second_drug_id,
    CASE
      WHEN s.is_first_tested = 0 OR y.person_id IS NULL THEN 'not_tested'
      WHEN s.had_antibody = 1 THEN 'with'
      ELSE 'without'
    END AS standing,
    CASE WHEN y.first_positive_date >= s.start_date AND s.is_first_tested = 1 THEN 1 ELSE 0 END AS has_antibody
  FROM second_start AS s
  LEFT JOIN care.antibody AS y
    ON
      s.person_id = y.person_id
      AND s.drug_id = y.drug_id
      AND y.last_test_date >= s.start_date
      AND (y.first_positive_date IS NULL OR y.first_positive_date >= s.start_date)
),
part AS (
  SELECT j.second_drug_id, j.standing, j.has_antibody
  FROM judged AS j
  UNION ALL
  SELECT 'all' AS second_drug_id, j.standing, j.has_antibody
  FROM judged AS j
)
SELECT p.second_drug_id, p.standing, COUNT(*) AS person_count, CAST(SUM(p.has_antibody) AS BIGINT) AS event_count
FROM part AS p
GROUP BY p.second_drug_id, p.standing
