-- Drug eras of an OMOP source, where it has neither ancestors nor a code list: each era is one record, as delivered.
SELECT
  e.source_file,
  e.row_number,
  CAST(e.drug_era_id AS VARCHAR) AS prescription_id,
  CAST(e.person_id AS VARCHAR) AS person_id,
  'order' AS record_type,
  CAST(e.drug_concept_id AS VARCHAR) AS drug_source_value,
  CAST(e.drug_concept_id AS VARCHAR) AS drug_code,
  'OMOP' AS code_system,
  CAST(e.drug_era_start_date AS VARCHAR) AS start_date,
  CAST(e.drug_era_end_date AS VARCHAR) AS end_date
FROM raw.drug_era AS e
