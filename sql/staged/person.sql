-- Persons, with the identifier that the whole database uses and a birth date that is 1 July where only the year is known.
-- grain: person_id
WITH identified AS (
  SELECT DISTINCT p.person_source_value
  FROM intake.person AS p
  WHERE p.person_source_value IS NOT NULL
),
shape AS (
  SELECT
    COUNT(*) = COUNT(CASE WHEN CAST(TRY_CAST(i.person_source_value AS BIGINT) AS VARCHAR) = i.person_source_value THEN 1 END)
      AS all_are_numbers
  FROM identified AS i
),
numbered AS (
  SELECT
    i.person_source_value,
    CASE
      WHEN s.all_are_numbers THEN TRY_CAST(i.person_source_value AS BIGINT)
      ELSE CAST(ROW_NUMBER() OVER (ORDER BY i.person_source_value) AS BIGINT)
    END AS person_id
  FROM identified AS i
  CROSS JOIN shape AS s
)
SELECT
  n.person_id,
  p.person_source_value,
  CASE WHEN UPPER(p.sex) IN ('F', 'M') THEN UPPER(p.sex) ELSE 'U' END AS sex,
  COALESCE(p.birth_date, MAKE_DATE(CAST(p.year_of_birth AS INTEGER), 7, 1)) AS birth_date,
  p.birth_date IS NULL AS is_birth_date_imputed
FROM intake.person AS p
INNER JOIN numbered AS n ON p.person_source_value = n.person_source_value
WHERE NOT EXISTS (
  SELECT 1 FROM quality.quarantine AS q
  WHERE q.table_name = 'person' AND q.source_file = p.source_file AND q.row_number = p.row_number
)
