-- aggregates
WITH event_groups AS
(SELECT events_in_range.day_index AS day_index, events_in_range.hour AS hour, events_in_range.name AS name, events_in_range.version AS version, count(*) AS events, count(CASE WHEN events_in_range.is_error THEN 1 END) AS errors, count(CASE WHEN events_in_range.is_error IS NULL THEN 1 END) AS error_unknown_events, count(CASE WHEN events_in_range.is_late THEN 1 END) AS late_events, count(CASE WHEN events_in_range.missing_0 THEN 1 END) AS missing_0, count(CASE WHEN events_in_range.is_unidentified OR events_in_range.missing_0 THEN 1 END) AS incomplete_events
FROM (SELECT ((CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) - :param_6) / :param_7) / :param_8 AS day_index, ((CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) - :param_9) / :param_10) % :param_11 AS hour, (CASE WHEN length(events.event_name) > 200 THEN concat(substr(events.event_name, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.event_name)))), 1, 16)) ELSE events.event_name END) AS name, (CASE WHEN length(events.service_version) > 200 THEN concat(substr(events.service_version, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.service_version)))), 1, 16)) ELSE events.service_version END) AS version, severity >= :param_12 AS is_error, CAST(round(to_unixtime(events.received_at) * 1e6) AS BIGINT) / :param_13 - CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) / :param_14 > :param_15 AS is_late, events.event_id IS NULL AS is_unidentified, events.user_id IS NULL OR trim(events.user_id) = :trim_1 AS missing_0
FROM events
WHERE events.occurred_at >= CAST(:param_16 AS TIMESTAMP(6) WITH TIME ZONE) AND events.occurred_at < CAST(:param_17 AS TIMESTAMP(6) WITH TIME ZONE)) AS events_in_range GROUP BY events_in_range.day_index, events_in_range.hour, events_in_range.name, events_in_range.version)
 SELECT hours.day_index, hours.name, hours.version, CAST(sum(hours.events) AS BIGINT) AS sum_1, CAST(sum(hours.errors) AS BIGINT) AS sum_2, CAST(sum(hours.error_unknown_events) AS BIGINT) AS sum_3, CAST(sum(hours.late_events) AS BIGINT) AS sum_4, CAST(sum(hours.missing_0) AS BIGINT) AS sum_5, array_join(array_agg(hours.numbers), ',') AS anon_1, CAST(sum(hours.incomplete_events) AS BIGINT) AS sum_6
FROM (SELECT event_groups.day_index AS day_index, event_groups.name AS name, event_groups.version AS version, event_groups.events AS events, event_groups.errors AS errors, event_groups.error_unknown_events AS error_unknown_events, event_groups.late_events AS late_events, event_groups.missing_0 AS missing_0, event_groups.incomplete_events AS incomplete_events, CAST(event_groups.hour AS VARCHAR) || :param_1 || CAST(event_groups.events AS VARCHAR) || :param_2 || CAST(event_groups.errors AS VARCHAR) || :param_3 || CAST(event_groups.error_unknown_events AS VARCHAR) || :param_4 || CAST(event_groups.late_events AS VARCHAR) || :param_5 || CAST(event_groups.missing_0 AS VARCHAR) AS numbers
FROM event_groups) AS hours GROUP BY hours.day_index, hours.name, hours.version ORDER BY hours.day_index, hours.name NULLS FIRST, hours.version NULLS FIRST

-- unidentified
SELECT events_in_range.day_index, events_in_range.name, events_in_range.version, count(*) AS count_1
FROM (SELECT ((CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) - :param_1) / :param_2) / :param_3 AS day_index, (CASE WHEN length(events.event_name) > 200 THEN concat(substr(events.event_name, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.event_name)))), 1, 16)) ELSE events.event_name END) AS name, (CASE WHEN length(events.service_version) > 200 THEN concat(substr(events.service_version, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.service_version)))), 1, 16)) ELSE events.service_version END) AS version
FROM events
WHERE events.occurred_at >= CAST(:param_4 AS TIMESTAMP(6) WITH TIME ZONE) AND events.occurred_at < CAST(:param_5 AS TIMESTAMP(6) WITH TIME ZONE) AND events.event_id IS NULL AND NOT (events.user_id IS NULL OR trim(events.user_id) = :trim_1)) AS events_in_range GROUP BY events_in_range.day_index, events_in_range.name, events_in_range.version

-- count
SELECT events_in_range.day_index, count(*) AS count_1
FROM (SELECT ((CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) - :param_1) / :param_2) / :param_3 AS day_index
FROM events
WHERE events.occurred_at >= CAST(:param_4 AS TIMESTAMP(6) WITH TIME ZONE) AND events.occurred_at < CAST(:param_5 AS TIMESTAMP(6) WITH TIME ZONE)) AS events_in_range GROUP BY events_in_range.day_index

-- versions
SELECT events_in_range.version, count(*) AS count_1, count(CASE WHEN events_in_range.is_error THEN 1 END) AS anon_1, count(CASE WHEN events_in_range.is_error IS NULL THEN 1 END) AS anon_2, count(CASE WHEN events_in_range.missing_0 THEN 1 END) AS anon_3
FROM (SELECT (CASE WHEN length(events.service_version) > 200 THEN concat(substr(events.service_version, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.service_version)))), 1, 16)) ELSE events.service_version END) AS version, severity >= :param_1 AS is_error, events.user_id IS NULL OR trim(events.user_id) = :trim_1 AS missing_0
FROM events
WHERE events.occurred_at >= CAST(:param_2 AS TIMESTAMP(6) WITH TIME ZONE) AND events.occurred_at < CAST(:param_3 AS TIMESTAMP(6) WITH TIME ZONE)) AS events_in_range GROUP BY events_in_range.version

-- sample
SELECT drawn_events.day_index, drawn_events.id, drawn_events.name, drawn_events.version, drawn_events.missing_0
FROM (SELECT events_in_range.drawn AS drawn, events_in_range.day_index AS day_index, events_in_range.id AS id, events_in_range.name AS name, events_in_range.version AS version, events_in_range.missing_0 AS missing_0, row_number() OVER (PARTITION BY events_in_range.day_index ORDER BY events_in_range.drawn, events_in_range.id, events_in_range.name, events_in_range.version) AS position
FROM (SELECT bitwise_and(from_big_endian_64(xxhash64(to_utf8(coalesce(events.event_id, CAST(CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) AS VARCHAR) || :param_1 || coalesce(events.event_name, :coalesce_1) || :param_2 || coalesce(events.service_version, :coalesce_2)) || :param_3))), 9223372036854775807) AS drawn, ((CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) - :param_4) / :param_5) / :param_6 AS day_index, (CASE WHEN length(events.event_id) > 200 THEN concat(substr(events.event_id, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.event_id)))), 1, 16)) ELSE events.event_id END) AS id, (CASE WHEN length(events.event_name) > 200 THEN concat(substr(events.event_name, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.event_name)))), 1, 16)) ELSE events.event_name END) AS name, (CASE WHEN length(events.service_version) > 200 THEN concat(substr(events.service_version, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.service_version)))), 1, 16)) ELSE events.service_version END) AS version, events.user_id IS NULL OR trim(events.user_id) = :trim_1 AS missing_0
FROM events
WHERE events.occurred_at >= CAST(:param_7 AS TIMESTAMP(6) WITH TIME ZONE) AND events.occurred_at < CAST(:param_8 AS TIMESTAMP(6) WITH TIME ZONE)) AS events_in_range JOIN (SELECT :param_9 AS day_index, :param_10 AS threshold UNION ALL SELECT :param_11 AS day_index, :param_12 AS threshold) AS thresholds ON thresholds.day_index = events_in_range.day_index AND events_in_range.drawn <= thresholds.threshold AND events_in_range.drawn <= :param_13) AS drawn_events
WHERE drawn_events.position <= :position_1 ORDER BY drawn_events.day_index, drawn_events.position

-- values
SELECT events_in_range.value, count(*) AS count_1
FROM (SELECT (CASE WHEN length(events.platform) > 200 THEN concat(substr(events.platform, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.platform)))), 1, 16)) ELSE events.platform END) AS value
FROM events
WHERE events.occurred_at >= CAST(:param_1 AS TIMESTAMP(6) WITH TIME ZONE) AND events.occurred_at < CAST(:param_2 AS TIMESTAMP(6) WITH TIME ZONE)) AS events_in_range GROUP BY events_in_range.value ORDER BY count(*) DESC, events_in_range.value
LIMIT :param_3

-- duplicates
SELECT events_in_range.day_index, count(*) AS count_1, count(DISTINCT events_in_range.compared) AS count_2
FROM (SELECT ((CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) - :param_1) / :param_2) / :param_3 AS day_index, xxhash64(to_utf8(events.event_id)) AS compared
FROM events
WHERE events.occurred_at >= CAST(:param_4 AS TIMESTAMP(6) WITH TIME ZONE) AND events.occurred_at < CAST(:param_5 AS TIMESTAMP(6) WITH TIME ZONE) AND events.event_id IS NOT NULL AND bitwise_and(from_big_endian_64(xxhash64(to_utf8(events.event_id))), 9223372036854775807) < :param_6) AS events_in_range GROUP BY events_in_range.day_index

-- slices
WITH events_in_range AS
(SELECT ((CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) - :param_3) / :param_4) / :param_5 AS day_index, (CASE WHEN length(events.platform) > 200 THEN concat(substr(events.platform, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.platform)))), 1, 16)) ELSE events.platform END) AS value, (CASE WHEN length(events.event_name) > 200 THEN concat(substr(events.event_name, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.event_name)))), 1, 16)) ELSE events.event_name END) AS event_name, (CASE WHEN length(events.service_version) > 200 THEN concat(substr(events.service_version, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.service_version)))), 1, 16)) ELSE events.service_version END) AS service_version, ((CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) - :param_6) / :param_7) % :param_8 AS hour, severity >= :param_9 AS is_error, (CASE WHEN length(events.service_version) > 200 THEN concat(substr(events.service_version, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.service_version)))), 1, 16)) ELSE events.service_version END) IS NULL OR (CASE WHEN length(events.service_version) > 200 THEN concat(substr(events.service_version, 1, 200), '…', substr(lower(to_hex(md5(to_utf8(events.service_version)))), 1, 16)) ELSE events.service_version END) IN (:param_10) AS is_missing
FROM events
WHERE events.occurred_at >= CAST(:param_11 AS TIMESTAMP(6) WITH TIME ZONE) AND events.occurred_at < CAST(:param_12 AS TIMESTAMP(6) WITH TIME ZONE)),
by_event_name AS
(SELECT events_in_range.day_index AS day_index, events_in_range.value AS value, CAST(events_in_range.event_name AS VARCHAR) AS by_value, count(*) AS events, count(CASE WHEN events_in_range.is_error THEN 1 END) AS errors, count(CASE WHEN events_in_range.is_missing THEN 1 END) AS missing_version
FROM events_in_range GROUP BY events_in_range.day_index, events_in_range.value, events_in_range.event_name),
by_hour AS
(SELECT events_in_range.day_index AS day_index, events_in_range.value AS value, CAST(events_in_range.hour AS VARCHAR) AS by_value, count(*) AS events, count(CASE WHEN events_in_range.is_error THEN 1 END) AS errors, count(CASE WHEN events_in_range.is_missing THEN 1 END) AS missing_version
FROM events_in_range GROUP BY events_in_range.day_index, events_in_range.value, events_in_range.hour),
by_service_version AS
(SELECT events_in_range.day_index AS day_index, events_in_range.value AS value, CAST(events_in_range.service_version AS VARCHAR) AS by_value, count(*) AS events, count(CASE WHEN events_in_range.is_error THEN 1 END) AS errors, count(CASE WHEN events_in_range.is_missing THEN 1 END) AS missing_version
FROM events_in_range GROUP BY events_in_range.day_index, events_in_range.value, events_in_range.service_version)
 SELECT slices.day_index, slices."by", slices.value, slices.by_value, slices.events, slices.errors, slices.missing_version
FROM (SELECT anon_1.day_index AS day_index, :param_1 AS "by", anon_1.value AS value, anon_1.by_value AS by_value, sum(anon_1.events) AS events, sum(anon_1.errors) AS errors, sum(anon_1.missing_version) AS missing_version
FROM (SELECT by_event_name.day_index AS day_index, CASE WHEN (kept_values.day_index IS NOT NULL) THEN by_event_name.value ELSE :param_2 END AS value, by_event_name.by_value AS by_value, by_event_name.events AS events, by_event_name.errors AS errors, by_event_name.missing_version AS missing_version
FROM by_event_name LEFT OUTER JOIN (SELECT ranked_values.day_index AS day_index, ranked_values.value AS value
FROM (SELECT value_sums.day_index AS day_index, value_sums.value AS value, row_number() OVER (PARTITION BY value_sums.day_index ORDER BY value_sums.events DESC, value_sums.value IS NOT NULL, value_sums.value) AS position
FROM (SELECT by_hour.day_index AS day_index, by_hour.value AS value, sum(by_hour.events) AS events
FROM by_hour GROUP BY by_hour.day_index, by_hour.value) AS value_sums) AS ranked_values
WHERE ranked_values.position <= :position_1) AS kept_values ON kept_values.day_index = by_event_name.day_index AND kept_values.value IS NOT DISTINCT FROM by_event_name.value) AS anon_1 GROUP BY anon_1.day_index, anon_1.value, anon_1.by_value UNION ALL SELECT anon_2.day_index AS day_index, :param_13 AS "by", anon_2.value AS value, anon_2.by_value AS by_value, sum(anon_2.events) AS events, sum(anon_2.errors) AS errors, sum(anon_2.missing_version) AS missing_version
FROM (SELECT by_service_version.day_index AS day_index, CASE WHEN (kept_values.day_index IS NOT NULL) THEN by_service_version.value ELSE :param_14 END AS value, by_service_version.by_value AS by_value, by_service_version.events AS events, by_service_version.errors AS errors, by_service_version.missing_version AS missing_version
FROM by_service_version LEFT OUTER JOIN (SELECT ranked_values.day_index AS day_index, ranked_values.value AS value
FROM (SELECT value_sums.day_index AS day_index, value_sums.value AS value, row_number() OVER (PARTITION BY value_sums.day_index ORDER BY value_sums.events DESC, value_sums.value IS NOT NULL, value_sums.value) AS position
FROM (SELECT by_hour.day_index AS day_index, by_hour.value AS value, sum(by_hour.events) AS events
FROM by_hour GROUP BY by_hour.day_index, by_hour.value) AS value_sums) AS ranked_values
WHERE ranked_values.position <= :position_1) AS kept_values ON kept_values.day_index = by_service_version.day_index AND kept_values.value IS NOT DISTINCT FROM by_service_version.value) AS anon_2 GROUP BY anon_2.day_index, anon_2.value, anon_2.by_value UNION ALL SELECT anon_3.day_index AS day_index, :param_15 AS "by", anon_3.value AS value, anon_3.by_value AS by_value, sum(anon_3.events) AS events, sum(anon_3.errors) AS errors, sum(anon_3.missing_version) AS missing_version
FROM (SELECT by_hour.day_index AS day_index, CASE WHEN (kept_values.day_index IS NOT NULL) THEN by_hour.value ELSE :param_16 END AS value, by_hour.by_value AS by_value, by_hour.events AS events, by_hour.errors AS errors, by_hour.missing_version AS missing_version
FROM by_hour LEFT OUTER JOIN (SELECT ranked_values.day_index AS day_index, ranked_values.value AS value
FROM (SELECT value_sums.day_index AS day_index, value_sums.value AS value, row_number() OVER (PARTITION BY value_sums.day_index ORDER BY value_sums.events DESC, value_sums.value IS NOT NULL, value_sums.value) AS position
FROM (SELECT by_hour.day_index AS day_index, by_hour.value AS value, sum(by_hour.events) AS events
FROM by_hour GROUP BY by_hour.day_index, by_hour.value) AS value_sums) AS ranked_values
WHERE ranked_values.position <= :position_1) AS kept_values ON kept_values.day_index = by_hour.day_index AND kept_values.value IS NOT DISTINCT FROM by_hour.value) AS anon_3 GROUP BY anon_3.day_index, anon_3.value, anon_3.by_value) AS slices

-- arrivals
SELECT arrivals.day_index, arrivals.hour, count(*) AS count_1
FROM (SELECT events_in_range.day_index AS day_index, CASE WHEN (events_in_range.arrived < (events_in_range.day_index + :day_index_1) * :param_1 + :param_2) THEN :param_3 WHEN (events_in_range.arrived < (events_in_range.day_index + :day_index_1) * :param_1 + :param_2 + :param_4) THEN :param_5 WHEN (events_in_range.arrived > (events_in_range.day_index + :day_index_1) * :param_1 + :param_2 + :param_6) THEN :param_7 ELSE ((events_in_range.arrived - ((events_in_range.day_index + :day_index_1) * :param_1 + :param_2)) - :param_8) / :param_9 + :param_10 END AS hour
FROM (SELECT ((CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) - :param_11) / :param_12) / :param_13 AS day_index, CAST(round(to_unixtime(events.received_at) * 1e6) AS BIGINT) AS arrived
FROM events
WHERE events.occurred_at >= CAST(:param_14 AS TIMESTAMP(6) WITH TIME ZONE) AND events.occurred_at < CAST(:param_15 AS TIMESTAMP(6) WITH TIME ZONE) AND events.received_at IS NOT NULL) AS events_in_range
WHERE events_in_range.arrived IS NOT NULL) AS arrivals GROUP BY arrivals.day_index, arrivals.hour

-- invalid_timestamp
SELECT arrivals.day_index, count(*) AS count_1, count(CASE WHEN arrivals.occurred > arrivals.since_start * :since_start_1 + :param_1 THEN 1 END) AS anon_1, count(CASE WHEN arrivals.occurred < arrivals.since_start * :since_start_2 + :param_2 THEN 1 END) AS anon_2, count(CASE WHEN arrivals.occurred IS NULL THEN 1 END) AS anon_3
FROM (SELECT ((CAST(round(to_unixtime(events.received_at) * 1e6) AS BIGINT) - :param_3) / :param_4) / :param_5 AS day_index, CAST(round(to_unixtime(events.received_at) * 1e6) AS BIGINT) - :param_6 AS since_start, CAST(round(to_unixtime(events.occurred_at) * 1e6) AS BIGINT) AS occurred
FROM events
WHERE events.received_at >= CAST(:param_7 AS TIMESTAMP(6) WITH TIME ZONE) AND events.received_at < CAST(:param_8 AS TIMESTAMP(6) WITH TIME ZONE)) AS arrivals GROUP BY arrivals.day_index
