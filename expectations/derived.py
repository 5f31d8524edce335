"""Rules at the third door: what the system itself derived. A failure is an error of the software and stops the run."""

from __future__ import annotations

from expectations.rule import Rule


def _partition(table: str) -> tuple[Rule, ...]:
    """What makes the intervals of a table a partition of observed time: inside it, as long as it, and never twice."""
    batch = f"exposure.{table}"
    return (
        Rule(
            id="DQ075", table=table, batch=batch, severity="block", layer="derived",
            block_above=0, sentence="an interval has no length or leaves observed time",
            sql="SELECT r.exposure_rule, r.start_date FROM {batch} AS r WHERE r.stop_date <= r.start_date OR NOT EXISTS ("
            "SELECT 1 FROM staged.observation_period AS o WHERE o.person_id = r.person_id AND o.start_date <= r.start_date "
            "AND r.stop_date <= o.stop_date)",
        ),
        Rule(
            id="DQ076", table=table, batch=batch, severity="block", layer="derived",
            block_above=0, field="person_days", sentence="the intervals of a person do not add up to the observed days",
            sql="SELECT s.exposure_rule FROM (SELECT o.person_id, SUM(DATE_DIFF('day', o.start_date, o.stop_date)) AS observed_days "
            "FROM staged.observation_period AS o GROUP BY o.person_id) AS o CROSS JOIN spec.exposure_rule AS s LEFT JOIN ("
            "SELECT r.exposure_rule, r.person_id, SUM(DATE_DIFF('day', r.start_date, r.stop_date)) AS interval_days "
            "FROM {batch} AS r GROUP BY r.exposure_rule, r.person_id) AS i "
            "ON o.person_id = i.person_id AND s.exposure_rule = i.exposure_rule "
            "WHERE o.observed_days IS DISTINCT FROM i.interval_days",
        ),
        Rule(
            id="DQ076", table=table, batch=batch, severity="block", layer="derived",
            block_above=0, field="overlap", sentence="intervals of a person overlap",
            sql="SELECT n.exposure_rule FROM (SELECT r.exposure_rule, r.start_date, LAG(r.stop_date) OVER ("
            "PARTITION BY r.exposure_rule, r.person_id ORDER BY r.start_date, r.stop_date) AS previous_stop_date "
            "FROM {batch} AS r) AS n WHERE n.start_date < n.previous_stop_date",
        ),
    )  # fmt: skip


# What the sampler drew, against the tables that it drew from.
COHORT_RULES: tuple[Rule, ...] = (
    Rule(
        id="DQ077", table="matched_set", batch="cohort.matched_set", severity="block", layer="cohort", block_above=0, field="event",
        sentence="a control had the outcome before the index date",
        sql="SELECT r.exposure_rule, r.set_number FROM {batch} AS r INNER JOIN cohort.entry AS e ON r.exposure_rule = e.exposure_rule "
        "AND r.person_id = e.person_id INNER JOIN cohort.outcome_event AS v ON r.person_id = v.person_id AND r.outcome_id = v.outcome_id "
        "WHERE NOT r.is_case AND e.entry_date <= v.event_date AND v.event_date < r.index_date",
    ),
    Rule(
        id="DQ077", table="matched_set", batch="cohort.control_sample", severity="block", layer="cohort", block_above=0,
        field="follow_up", sentence="the index date is outside the follow-up of a person who was drawn",
        sql="SELECT r.exposure_rule, r.set_number FROM {batch} AS r LEFT JOIN cohort.matched_set AS m ON r.exposure_rule = m.exposure_rule "
        "AND r.outcome_id = m.outcome_id AND r.design = m.design AND r.set_number = m.set_number AND r.control_number = m.control_number "
        "WHERE m.person_id IS NULL",
    ),
    Rule(
        id="DQ078", table="matched_set", batch="cohort.matched_set", severity="block", layer="cohort", block_above=0,
        field="regimen_id", sentence="a drug counts as exposure that began after the day on which exposure is read",
        sql="SELECT r.exposure_rule, r.set_number FROM {batch} AS r INNER JOIN spec.outcome AS o ON r.outcome_id = o.outcome_id "
        "INNER JOIN spec.drug AS d ON d.role = 'study' AND CONTAINS(CONCAT('+', r.regimen_id, '+'), CONCAT('+', d.drug_id, '+')) "
        "WHERE r.regimen_id <> 'none' AND NOT EXISTS (SELECT 1 FROM exposure.episode AS e WHERE e.exposure_rule = r.exposure_rule "
        "AND e.person_id = r.person_id AND e.drug_id = d.drug_id "
        "AND e.start_date <= r.index_date - CASE WHEN r.design = 'toruner_replica' THEN 0 ELSE CAST(o.lag_days AS INTEGER) END)",
    ),
)  # fmt: skip

DERIVED_RULES: tuple[Rule, ...] = (
    *_partition("combination_interval"),
    *_partition("class_interval"),
    Rule(
        id="DQ075", table="combination_episode", batch="exposure.combination_episode", severity="block", layer="derived",
        block_above=0, sentence="a combination has no length or is not inside the use of each of its drugs",
        sql="SELECT r.exposure_rule, r.start_date FROM {batch} AS r LEFT JOIN exposure.episode AS e "
        "ON r.exposure_rule = e.exposure_rule AND r.person_id = e.person_id AND e.start_date <= r.start_date "
        "AND r.stop_date <= e.stop_date AND CONTAINS(CONCAT('+', r.regimen_id, '+'), CONCAT('+', e.drug_id, '+')) "
        "GROUP BY r.exposure_rule, r.person_id, r.regimen_id, r.episode_number, r.start_date, r.stop_date, r.drug_count "
        "HAVING r.stop_date <= r.start_date OR COUNT(e.drug_id) <> r.drug_count",
    ),
    Rule(
        id="DQ039", table="combination_episode", batch="exposure.combination_episode", severity="warn", layer="derived", field="class",
        sentence="two drugs of one class together for more than 28 days: likely a switch",
        sql="SELECT r.exposure_rule, r.regimen_id FROM {batch} AS r INNER JOIN spec.exposure_rule AS s "
        "ON r.exposure_rule = s.exposure_rule AND s.is_primary INNER JOIN spec.drug AS a ON r.regimen_id LIKE CONCAT(a.drug_id, '+%') "
        "INNER JOIN spec.drug AS b ON r.regimen_id = CONCAT(a.drug_id, '+', b.drug_id) AND a.drug_class = b.drug_class "
        "WHERE DATE_DIFF('day', r.start_date, r.stop_date) > 28",
    ),
    Rule(
        id="DQ076", table="row_account", batch="quality.row_account", severity="block", layer="derived", block_above=0,
        field="rows_in", sentence="rows received are not all kept, set aside or duplicates",
        sql="SELECT r.table_name FROM {batch} AS r WHERE r.rows_in <> r.rows_kept + r.rows_quarantined + r.rows_duplicate "
        "OR r.rows_kept < 0",
    ),
)  # fmt: skip

# Frames, not a table: counted by analysis/disclosure_check.py on what is about to be written.
REPORT_RULE = Rule(
    id="DQ079", table="report", batch="", severity="block", layer="report", block_above=0, field="small_count",
    sentence="a count below the smallest that may be shown is not withheld", sql="", needs=("public",),
)  # fmt: skip
