-- Kept adverse events, typed and mapped; is_serious is NULL where the record does not say, suspect_drug_id where no drug is
-- named or the name means none of ours. onset_minute is NULL where the record knows the day only: no time of day, midnight, which
-- stands for an unknown time, or a time of another day than the onset. is_onset_day_known is false for a day that stands for a month
-- or year. is_fatal is NULL where neither a flag of death nor an outcome is given.
-- grain: adverse_event_id
SELECT
  a.adverse_event_id,
  p.person_id,
  a.term,
  a.code,
  a.code_system,
  a.system_organ_class,
  a.onset_date,
  CASE
    WHEN CAST(a.onset_datetime AS DATE) = a.onset_date
      THEN NULLIF(CAST(EXTRACT(HOUR FROM a.onset_datetime) * 60 + EXTRACT(MINUTE FROM a.onset_datetime) AS BIGINT), 0)
  END AS onset_minute,
  NOT COALESCE(CONTAINS(a.partial_columns, 'onset_date'), FALSE) AS is_onset_day_known,
  a.end_date + 1 AS stop_date,
  CASE
    WHEN UPPER(a.serious) IN ('Y', 'YES', '1', 'TRUE') THEN TRUE
    WHEN UPPER(a.serious) IN ('N', 'NO', '0', 'FALSE') THEN FALSE
  END AS is_serious,
  a.severity,
  a.outcome,
  CASE
    WHEN UPPER(a.death) IN ('Y', 'YES', '1', 'TRUE') OR f.word IS NOT NULL THEN TRUE
    WHEN UPPER(a.death) IN ('N', 'NO', '0', 'FALSE') OR a.outcome IS NOT NULL THEN FALSE
  END AS is_fatal,
  LOWER(a.action_taken) AS action_taken,
  a.causality,
  a.suspect_drug,
  m.drug_id AS suspect_drug_id
FROM intake.adverse_event AS a
INNER JOIN staged.person AS p ON a.person_source_value = p.person_source_value
LEFT JOIN quality.drug_map AS m ON a.suspect_drug = m.drug_source_value AND m.drug_code = '' AND m.code_system = ''
LEFT JOIN reference.event_word AS f
  ON f.field = 'outcome' AND f.meaning = 'fatal' AND LOWER(TRIM(a.outcome)) = f.word
WHERE NOT EXISTS (
  SELECT 1 FROM quality.quarantine AS q
  WHERE q.table_name = 'adverse_event' AND q.source_file = a.source_file AND q.row_number = a.row_number
)
