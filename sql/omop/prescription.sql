-- Drug exposures of an OMOP source in native shape. The obligatory end date is often imputed: the verbatim one first.
-- OMOP drug types: administered 38000179, 38000180, 43542356-43542358, 581373, 32818; dispensed 38000175, 38000176, 581452,
-- 32825, 32869; anything else is an order.
SELECT
  x.source_file,
  x.row_number,
  CAST(x.drug_exposure_id AS VARCHAR) AS prescription_id,
  CAST(x.person_id AS VARCHAR) AS person_id,
  CASE
    WHEN CAST(x.drug_type_concept_id AS VARCHAR) IN ('38000179', '38000180', '43542356', '43542357', '43542358', '581373', '32818')
      THEN 'administration'
    WHEN CAST(x.drug_type_concept_id AS VARCHAR) IN ('38000175', '38000176', '581452', '32825', '32869') THEN 'dispensing'
    ELSE 'order'
  END AS record_type,
  CAST(x.drug_source_value AS VARCHAR) AS drug_source_value,
  NULLIF(CAST(x.drug_concept_id AS VARCHAR), '0') AS drug_code,
  CASE WHEN CAST(x.drug_concept_id AS VARCHAR) <> '0' THEN 'OMOP' END AS code_system,
  CAST(x.drug_exposure_start_date AS VARCHAR) AS start_date,
  CAST(x.drug_exposure_start_datetime AS VARCHAR) AS start_datetime,
  COALESCE(CAST(x.verbatim_end_date AS VARCHAR), CAST(x.drug_exposure_end_date AS VARCHAR)) AS end_date,
  CAST(x.days_supply AS VARCHAR) AS days_supply,
  CAST(x.quantity AS VARCHAR) AS quantity,
  CAST(x.route_source_value AS VARCHAR) AS route,
  CAST(x.stop_reason AS VARCHAR) AS stop_reason
FROM raw.drug_exposure AS x
