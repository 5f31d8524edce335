-- What follows stops, as counts from which cumulative incidence is estimated: each event competes with the others, and none and
-- censored are censored. all_stops: every stop. first_stop: the first of each person for a drug or combination, so that
-- stops are persons.
-- time_days is the time of definitions 3: an event on the day of the stop has time 1, and whoever is observed to the end of the
-- window has its length; so nobody is at risk on a day that is not observed.
-- grain: exposure_rule, population, regimen_id, next_event, time_days
WITH numbered AS (
  SELECT
    a.exposure_rule,
    a.person_id,
    a.regimen_id,
    a.next_event,
    CASE WHEN a.next_event IN ('none', 'censored') THEN a.time_days ELSE a.time_days + 1 END AS time_days,
    ROW_NUMBER() OVER (PARTITION BY a.exposure_rule, a.person_id, a.regimen_id ORDER BY a.episode_number) AS stop_number
  FROM exposure.after_stop AS a
),
counted AS (
  SELECT n.exposure_rule, 'all_stops' AS population, n.regimen_id, n.next_event, n.time_days, n.person_id
  FROM numbered AS n
  UNION ALL
  SELECT n.exposure_rule, 'first_stop' AS population, n.regimen_id, n.next_event, n.time_days, n.person_id
  FROM numbered AS n
  WHERE n.stop_number = 1
)
SELECT
  c.exposure_rule,
  c.population,
  c.regimen_id,
  c.next_event,
  c.time_days,
  COUNT(DISTINCT c.person_id) AS person_count,
  COUNT(*) AS stop_count
FROM counted AS c
GROUP BY c.exposure_rule, c.population, c.regimen_id, c.next_event, c.time_days
