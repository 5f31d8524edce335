-- Which test each received name or code of a test means; a name that two tests claim means none.
-- grain: test
WITH received AS (
  SELECT DISTINCT m.test
  FROM intake.measurement AS m
  WHERE m.test IS NOT NULL
)
SELECT r.test, MIN(t.test_id) AS test_id
FROM received AS r
INNER JOIN reference.test AS t
  ON
    CONTAINS(CONCAT(';', LOWER(t.synonyms), ';'), CONCAT(';', LOWER(r.test), ';'))
    OR LOWER(r.test) = t.test_id
    OR r.test = t.loinc
GROUP BY r.test
HAVING COUNT(DISTINCT t.test_id) = 1
