-- Which classes of adverse events the source can tell, and how many of the followed records say whether they belong to it.
-- Where there are records and none says, nobody in a class is no zero.
-- grain: event_class
WITH told AS (
  SELECT
    COUNT(*) AS record_count,
    COUNT(a.is_serious) AS serious_count,
    COUNT(a.is_severe) AS severe_count,
    COUNT(a.is_fatal) AS fatal_count,
    COUNT(a.is_withdrawal) AS withdrawal_count,
    COUNT(a.is_related) AS related_count
  FROM care.adverse_event AS a
),
class AS (
  SELECT 'any' AS event_class, t.record_count, t.record_count AS known_count
  FROM told AS t
  UNION ALL
  SELECT 'serious' AS event_class, t.record_count, t.serious_count AS known_count
  FROM told AS t
  UNION ALL
  SELECT 'severe' AS event_class, t.record_count, t.severe_count AS known_count
  FROM told AS t
  UNION ALL
  SELECT 'fatal' AS event_class, t.record_count, t.fatal_count AS known_count
  FROM told AS t
  UNION ALL
  SELECT 'withdrawal' AS event_class, t.record_count, t.withdrawal_count AS known_count
  FROM told AS t
  UNION ALL
  SELECT 'related' AS event_class, t.record_count, t.related_count AS known_count
  FROM told AS t
)
SELECT
  c.event_class,
  m.has_adverse_event AND (c.known_count > 0 OR c.record_count = 0) AS is_assessable,
  c.record_count,
  c.known_count
FROM class AS c
CROSS JOIN meta.source AS m
