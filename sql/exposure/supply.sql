-- Until when each record lasts under a handling that carries what is left of earlier ones, which is used first.
-- stockpile: record k ends at C(k) + MAX over j <= k of slack(j), where C(k) are the days supplied so far and slack(j) is
-- start(j) - C(j-1). stockpile_capped: at most so many days are carried from one record to the next, and never less is covered than
-- merge covers. Two administrations of one day are one dose. At a change of dose what is left is carried as it is (carry),
-- thrown away (discard), or becomes the whole days that the same amount lasts at the new dose (convert).
-- Records are followed one by one only in a run in which a cap or a change of dose acts; a run begins where nothing is left.
-- grain: handling_number, prescription_id
WITH RECURSIVE supplied AS (
  SELECT
    h.handling_number,
    h.stockpile_cap_days,
    h.dose_change,
    h.overlap_handling = 'stockpile' AND h.dose_change = 'carry' AS is_unlimited,
    w.prescription_id,
    w.person_id,
    w.record_type,
    w.start_date,
    w.stop_date,
    w.day_dose,
    w.dose_unit,
    w.is_era_level
  FROM exposure."window" AS w
  INNER JOIN exposure.handling AS h ON w.drug_id = h.drug_id
  WHERE w.record_use = 'used' AND w.stop_date IS NOT NULL AND h.overlap_handling <> 'merge'
),
day_dose AS (
  SELECT
    s.handling_number,
    s.person_id,
    s.start_date,
    CAST(MIN(s.day_dose) * 1000000 AS BIGINT) AS dose,
    MIN(s.dose_unit) AS dose_unit
  FROM supplied AS s
  WHERE s.dose_change <> 'carry' AND s.day_dose > 0
  GROUP BY s.handling_number, s.person_id, s.start_date
  HAVING MIN(s.day_dose) = MAX(s.day_dose) AND MIN(s.dose_unit) = MAX(s.dose_unit)
),
dosed AS (
  SELECT
    s.handling_number,
    s.stockpile_cap_days,
    s.dose_change,
    s.is_unlimited,
    s.prescription_id,
    s.person_id,
    s.start_date,
    s.stop_date,
    s.is_era_level,
    d.dose,
    d.dose_unit,
    CASE
      WHEN s.record_type = 'administration' AND ROW_NUMBER() OVER (
        PARTITION BY s.person_id, s.handling_number, s.start_date, s.record_type
        ORDER BY s.stop_date DESC, s.prescription_id
      ) > 1 THEN 0
      ELSE DATE_DIFF('day', s.start_date, s.stop_date)
    END AS supply_days
  FROM supplied AS s
  LEFT JOIN day_dose AS d ON s.handling_number = d.handling_number AND s.person_id = d.person_id AND s.start_date = d.start_date
),
stocked AS (
  SELECT
    s.handling_number,
    s.stockpile_cap_days,
    s.dose_change,
    s.is_unlimited,
    s.prescription_id,
    s.person_id,
    s.start_date,
    s.is_era_level,
    s.supply_days,
    s.dose,
    s.dose_unit,
    LAST_VALUE(s.dose IGNORE NULLS) OVER (
      PARTITION BY s.person_id, s.handling_number
      ORDER BY s.start_date, s.stop_date, s.prescription_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS dose_before,
    LAST_VALUE(s.dose_unit IGNORE NULLS) OVER (
      PARTITION BY s.person_id, s.handling_number
      ORDER BY s.start_date, s.stop_date, s.prescription_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS dose_unit_before,
    CAST(SUM(s.supply_days) OVER (
      PARTITION BY s.person_id, s.handling_number
      ORDER BY s.start_date, s.stop_date, s.prescription_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS BIGINT) AS supplied_days,
    ROW_NUMBER() OVER (
      PARTITION BY s.person_id, s.handling_number
      ORDER BY s.start_date, s.stop_date, s.prescription_id
    ) AS record_number
  FROM dosed AS s
),
slackened AS (
  SELECT
    k.handling_number,
    k.stockpile_cap_days,
    k.dose_change,
    k.is_unlimited,
    k.prescription_id,
    k.person_id,
    k.start_date,
    k.is_era_level,
    k.supply_days,
    k.supplied_days,
    k.record_number,
    k.dose,
    k.dose_before,
    k.dose_change <> 'carry' AND COALESCE(k.dose_unit = k.dose_unit_before AND k.dose <> k.dose_before, FALSE) AS is_dose_change,
    DATE_DIFF('day', DATE '1900-01-01', k.start_date) - (k.supplied_days - k.supply_days) AS slack,
    MAX(DATE_DIFF('day', DATE '1900-01-01', k.start_date) - (k.supplied_days - k.supply_days)) OVER (
      PARTITION BY k.person_id, k.handling_number
      ORDER BY k.record_number
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS slack_before
  FROM stocked AS k
),
numbered AS (
  SELECT
    k.handling_number,
    k.stockpile_cap_days,
    k.dose_change,
    k.prescription_id,
    k.person_id,
    k.start_date,
    k.is_era_level,
    k.supply_days,
    k.supplied_days,
    k.record_number,
    k.dose,
    k.dose_before,
    k.is_dose_change,
    k.slack,
    k.slack_before,
    SUM(CASE WHEN k.slack < k.slack_before THEN 0 ELSE 1 END) OVER (
      PARTITION BY k.person_id, k.handling_number
      ORDER BY k.record_number
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS run_number
  FROM slackened AS k
  WHERE NOT k.is_unlimited
),
judged AS (
  SELECT
    n.handling_number,
    n.stockpile_cap_days,
    n.dose_change,
    n.prescription_id,
    n.person_id,
    n.start_date,
    n.is_era_level,
    n.supply_days,
    n.supplied_days,
    n.record_number,
    n.dose,
    n.dose_before,
    n.is_dose_change,
    n.slack,
    n.slack_before,
    n.slack < n.slack_before AS is_carrying,
    MAX(CASE WHEN n.slack_before - n.slack > n.stockpile_cap_days OR n.is_dose_change AND n.slack < n.slack_before THEN 1 ELSE 0 END)
      OVER (PARTITION BY n.person_id, n.handling_number, n.run_number)
    = 1 AS is_stepwise
  FROM numbered AS n
),
followed AS (
  SELECT
    j.handling_number,
    j.prescription_id,
    j.person_id,
    j.start_date,
    j.start_date + CAST(j.supply_days AS INTEGER) AS stop_date,
    j.is_era_level,
    j.record_number,
    FALSE AS is_dose_change
  FROM judged AS j
  WHERE j.is_stepwise AND COALESCE(NOT j.is_carrying, TRUE)
  UNION ALL
  SELECT
    j.handling_number,
    j.prescription_id,
    j.person_id,
    j.start_date,
    CASE
      WHEN NOT j.is_dose_change
        THEN
          GREATEST(
            f.stop_date,
            j.start_date
            + CAST(j.supply_days + LEAST(GREATEST(DATE_DIFF('day', j.start_date, f.stop_date), 0), j.stockpile_cap_days) AS INTEGER)
          )
      WHEN j.dose_change = 'convert'
        THEN
          j.start_date
          + CAST(
            j.supply_days
            + LEAST(
              FLOOR(CAST(GREATEST(DATE_DIFF('day', j.start_date, f.stop_date), 0) AS DOUBLE) * j.dose_before / j.dose),
              j.stockpile_cap_days
            ) AS INTEGER
          )
      ELSE j.start_date + CAST(j.supply_days AS INTEGER)
    END AS stop_date,
    j.is_era_level,
    j.record_number,
    j.is_dose_change
  FROM followed AS f
  INNER JOIN judged AS j
    ON
      f.handling_number = j.handling_number
      AND f.person_id = j.person_id
      AND f.record_number + 1 = j.record_number
      AND j.is_stepwise
      AND j.is_carrying
),
-- What the old dose would still have covered ends where the new one begins.
changed AS (
  SELECT
    f.handling_number,
    f.prescription_id,
    f.person_id,
    f.start_date,
    f.stop_date,
    f.is_era_level,
    MIN(CASE WHEN f.is_dose_change THEN f.start_date END) OVER (
      PARTITION BY f.person_id, f.handling_number
      ORDER BY f.record_number
      ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
    ) AS changed_date
  FROM followed AS f
)
SELECT
  k.handling_number,
  k.prescription_id,
  k.person_id,
  k.start_date,
  DATE '1900-01-01' + CAST(k.supplied_days + GREATEST(k.slack, COALESCE(k.slack_before, k.slack)) AS INTEGER) AS stop_date,
  k.is_era_level
FROM slackened AS k
WHERE k.is_unlimited
UNION ALL
SELECT
  j.handling_number,
  j.prescription_id,
  j.person_id,
  j.start_date,
  DATE '1900-01-01' + CAST(j.supplied_days + GREATEST(j.slack, COALESCE(j.slack_before, j.slack)) AS INTEGER) AS stop_date,
  j.is_era_level
FROM judged AS j
WHERE NOT j.is_stepwise
UNION ALL
SELECT
  c.handling_number,
  c.prescription_id,
  c.person_id,
  c.start_date,
  LEAST(c.stop_date, COALESCE(c.changed_date, c.stop_date)) AS stop_date,
  c.is_era_level
FROM changed AS c
