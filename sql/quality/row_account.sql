-- What became of every received row: kept, set aside, or an exact duplicate of an earlier one.
-- grain: table_name
WITH set_aside AS (
  SELECT q.table_name, COUNT(DISTINCT CONCAT(q.source_file, '#', CAST(q.row_number AS VARCHAR))) AS rows_quarantined
  FROM quality.quarantine AS q
  GROUP BY q.table_name
)
SELECT
  t.table_name,
  t.rows_in,
  t.rows_in - t.rows_duplicate - COALESCE(s.rows_quarantined, 0) AS rows_kept,
  COALESCE(s.rows_quarantined, 0) AS rows_quarantined,
  t.rows_duplicate
FROM meta.source_table AS t
LEFT JOIN set_aside AS s ON t.table_name = s.table_name
