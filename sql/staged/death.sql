-- The first recorded day of death of each person.
-- grain: person_id
SELECT p.person_id, MIN(d.death_date) AS death_date
FROM intake.death AS d
INNER JOIN staged.person AS p ON d.person_source_value = p.person_source_value
WHERE
  d.death_date IS NOT NULL
  AND NOT EXISTS (
    SELECT 1 FROM quality.quarantine AS q
    WHERE q.table_name = 'death' AND q.source_file = d.source_file AND q.row_number = d.row_number
  )
GROUP BY p.person_id
