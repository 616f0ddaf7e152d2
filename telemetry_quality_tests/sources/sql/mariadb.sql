-- aggregates
WITH event_groups AS
(SELECT events_in_range.day_index AS day_index, events_in_range.hour AS hour, events_in_range.name AS name, events_in_range.version AS version, count(*) AS events, count(CASE WHEN events_in_range.is_error THEN 1 END) AS errors, count(CASE WHEN events_in_range.is_error IS NULL THEN 1 END) AS error_unknown_events, count(CASE WHEN events_in_range.is_late THEN 1 END) AS late_events, count(CASE WHEN events_in_range.missing_0 THEN 1 END) AS missing_0, count(CASE WHEN events_in_range.is_unidentified = 1 OR events_in_range.missing_0 = 1 THEN 1 END) AS incomplete_events
FROM (SELECT ((((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) - %(param_6)s) DIV %(param_7)s)) DIV %(param_8)s) AS day_index, (((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) - %(param_9)s) DIV %(param_10)s)) %% %(param_11)s AS hour, (CASE WHEN char_length(events.event_name) > 200 THEN concat(left(events.event_name, 200), '…', left(md5(events.event_name), 16)) ELSE events.event_name END) AS name, (CASE WHEN char_length(events.service_version) > 200 THEN concat(left(events.service_version, 200), '…', left(md5(events.service_version), 16)) ELSE events.service_version END) AS version, severity >= %(param_12)s AS is_error, (TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.received_at) DIV %(param_13)s) - (TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) DIV %(param_14)s) > %(param_15)s AS is_late, events.event_id IS NULL AS is_unidentified, events.user_id IS NULL OR trim(events.user_id) = %(trim_1)s AS missing_0
FROM events
WHERE events.occurred_at >= %(param_16)s AND events.occurred_at < %(param_17)s) AS events_in_range GROUP BY events_in_range.day_index, events_in_range.hour, events_in_range.name, events_in_range.version)
 SELECT hours.day_index, hours.name, hours.version, CAST(LEAST(sum(hours.events), 9223372036854775807) AS SIGNED) AS sum_1, CAST(LEAST(sum(hours.errors), 9223372036854775807) AS SIGNED) AS sum_2, CAST(LEAST(sum(hours.error_unknown_events), 9223372036854775807) AS SIGNED) AS sum_3, CAST(LEAST(sum(hours.late_events), 9223372036854775807) AS SIGNED) AS sum_4, CAST(LEAST(sum(hours.missing_0), 9223372036854775807) AS SIGNED) AS sum_5, GROUP_CONCAT(hours.numbers SEPARATOR ',') AS anon_1, CAST(LEAST(sum(hours.incomplete_events), 9223372036854775807) AS SIGNED) AS sum_6
FROM (SELECT event_groups.day_index AS day_index, event_groups.name AS name, event_groups.version AS version, event_groups.events AS events, event_groups.errors AS errors, event_groups.error_unknown_events AS error_unknown_events, event_groups.late_events AS late_events, event_groups.missing_0 AS missing_0, event_groups.incomplete_events AS incomplete_events, concat(CONVERT(event_groups.hour USING utf8mb4) COLLATE utf8mb4_nopad_bin, %(param_1)s, CONVERT(event_groups.events USING utf8mb4) COLLATE utf8mb4_nopad_bin, %(param_2)s, CONVERT(event_groups.errors USING utf8mb4) COLLATE utf8mb4_nopad_bin, %(param_3)s, CONVERT(event_groups.error_unknown_events USING utf8mb4) COLLATE utf8mb4_nopad_bin, %(param_4)s, CONVERT(event_groups.late_events USING utf8mb4) COLLATE utf8mb4_nopad_bin, %(param_5)s, CONVERT(event_groups.missing_0 USING utf8mb4) COLLATE utf8mb4_nopad_bin) AS numbers
FROM event_groups) AS hours GROUP BY hours.day_index, hours.name, hours.version ORDER BY hours.day_index, hours.name, hours.version

-- unidentified
SELECT events_in_range.day_index, events_in_range.name, events_in_range.version, count(*) AS count_1
FROM (SELECT ((((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) - %(param_1)s) DIV %(param_2)s)) DIV %(param_3)s) AS day_index, (CASE WHEN char_length(events.event_name) > 200 THEN concat(left(events.event_name, 200), '…', left(md5(events.event_name), 16)) ELSE events.event_name END) AS name, (CASE WHEN char_length(events.service_version) > 200 THEN concat(left(events.service_version, 200), '…', left(md5(events.service_version), 16)) ELSE events.service_version END) AS version
FROM events
WHERE events.occurred_at >= %(param_4)s AND events.occurred_at < %(param_5)s AND events.event_id IS NULL AND NOT (events.user_id IS NULL OR trim(events.user_id) = %(trim_1)s)) AS events_in_range GROUP BY events_in_range.day_index, events_in_range.name, events_in_range.version

-- count
SELECT events_in_range.day_index, count(*) AS count_1
FROM (SELECT ((((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) - %(param_1)s) DIV %(param_2)s)) DIV %(param_3)s) AS day_index
FROM events
WHERE events.occurred_at >= %(param_4)s AND events.occurred_at < %(param_5)s) AS events_in_range GROUP BY events_in_range.day_index

-- versions
SELECT events_in_range.version, count(*) AS count_1, count(CASE WHEN events_in_range.is_error THEN 1 END) AS anon_1, count(CASE WHEN events_in_range.is_error IS NULL THEN 1 END) AS anon_2, count(CASE WHEN events_in_range.missing_0 THEN 1 END) AS anon_3
FROM (SELECT (CASE WHEN char_length(events.service_version) > 200 THEN concat(left(events.service_version, 200), '…', left(md5(events.service_version), 16)) ELSE events.service_version END) AS version, severity >= %(param_1)s AS is_error, events.user_id IS NULL OR trim(events.user_id) = %(trim_1)s AS missing_0
FROM events
WHERE events.occurred_at >= %(param_2)s AND events.occurred_at < %(param_3)s) AS events_in_range GROUP BY events_in_range.version

-- sample
SELECT drawn_events.day_index, drawn_events.id, drawn_events.name, drawn_events.version, drawn_events.missing_0
FROM (SELECT events_in_range.drawn AS drawn, events_in_range.day_index AS day_index, events_in_range.id AS id, events_in_range.name AS name, events_in_range.version AS version, events_in_range.missing_0 AS missing_0, row_number() OVER (PARTITION BY events_in_range.day_index ORDER BY events_in_range.drawn, events_in_range.id, events_in_range.name, events_in_range.version) AS position
FROM (SELECT CAST(CAST(CONV(LEFT(MD5(concat(coalesce(events.event_id, concat(CONVERT(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) USING utf8mb4) COLLATE utf8mb4_nopad_bin, %(param_1)s, coalesce(events.event_name, %(coalesce_1)s), %(param_2)s, coalesce(events.service_version, %(coalesce_2)s))), %(param_3)s)), 16), 16, 10) AS UNSIGNED) >> 1 AS SIGNED) AS drawn, ((((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) - %(param_4)s) DIV %(param_5)s)) DIV %(param_6)s) AS day_index, (CASE WHEN char_length(events.event_id) > 200 THEN concat(left(events.event_id, 200), '…', left(md5(events.event_id), 16)) ELSE events.event_id END) AS id, (CASE WHEN char_length(events.event_name) > 200 THEN concat(left(events.event_name, 200), '…', left(md5(events.event_name), 16)) ELSE events.event_name END) AS name, (CASE WHEN char_length(events.service_version) > 200 THEN concat(left(events.service_version, 200), '…', left(md5(events.service_version), 16)) ELSE events.service_version END) AS version, events.user_id IS NULL OR trim(events.user_id) = %(trim_1)s AS missing_0
FROM events
WHERE events.occurred_at >= %(param_7)s AND events.occurred_at < %(param_8)s) AS events_in_range INNER JOIN (SELECT %(param_9)s AS day_index, %(param_10)s AS threshold UNION ALL SELECT %(param_11)s AS day_index, %(param_12)s AS threshold) AS thresholds ON thresholds.day_index = events_in_range.day_index AND events_in_range.drawn <= thresholds.threshold AND events_in_range.drawn <= %(param_13)s) AS drawn_events
WHERE drawn_events.position <= %(position_1)s ORDER BY drawn_events.day_index, drawn_events.position

-- values
SELECT events_in_range.value, count(*) AS count_1
FROM (SELECT (CASE WHEN char_length(events.platform) > 200 THEN concat(left(events.platform, 200), '…', left(md5(events.platform), 16)) ELSE events.platform END) AS value
FROM events
WHERE events.occurred_at >= %(param_1)s AND events.occurred_at < %(param_2)s) AS events_in_range GROUP BY events_in_range.value ORDER BY count(*) DESC, events_in_range.value
 LIMIT %(param_3)s

-- duplicates
SELECT events_in_range.day_index, count(*) AS count_1, count(DISTINCT events_in_range.compared) AS count_2
FROM (SELECT ((((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) - %(param_1)s) DIV %(param_2)s)) DIV %(param_3)s) AS day_index, CAST(CAST(CONV(LEFT(MD5(events.event_id), 16), 16, 10) AS UNSIGNED) >> 1 AS SIGNED) AS compared
FROM events
WHERE events.occurred_at >= %(param_4)s AND events.occurred_at < %(param_5)s AND events.event_id IS NOT NULL AND CAST(CAST(CONV(LEFT(MD5(events.event_id), 16), 16, 10) AS UNSIGNED) >> 1 AS SIGNED) < %(param_6)s) AS events_in_range GROUP BY events_in_range.day_index

-- slices
WITH events_in_range AS
(SELECT ((((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) - %(param_3)s) DIV %(param_4)s)) DIV %(param_5)s) AS day_index, (CASE WHEN char_length(events.platform) > 200 THEN concat(left(events.platform, 200), '…', left(md5(events.platform), 16)) ELSE events.platform END) AS value, (CASE WHEN char_length(events.event_name) > 200 THEN concat(left(events.event_name, 200), '…', left(md5(events.event_name), 16)) ELSE events.event_name END) AS event_name, (CASE WHEN char_length(events.service_version) > 200 THEN concat(left(events.service_version, 200), '…', left(md5(events.service_version), 16)) ELSE events.service_version END) AS service_version, (((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) - %(param_6)s) DIV %(param_7)s)) %% %(param_8)s AS hour, severity >= %(param_9)s AS is_error, (CASE WHEN char_length(events.service_version) > 200 THEN concat(left(events.service_version, 200), '…', left(md5(events.service_version), 16)) ELSE events.service_version END) IS NULL OR (CASE WHEN char_length(events.service_version) > 200 THEN concat(left(events.service_version, 200), '…', left(md5(events.service_version), 16)) ELSE events.service_version END) IN (%(param_10)s) AS is_missing
FROM events
WHERE events.occurred_at >= %(param_11)s AND events.occurred_at < %(param_12)s),
by_event_name AS
(SELECT events_in_range.day_index AS day_index, events_in_range.value AS value, CONVERT(events_in_range.event_name USING utf8mb4) COLLATE utf8mb4_nopad_bin AS by_value, count(*) AS events, count(CASE WHEN events_in_range.is_error THEN 1 END) AS errors, count(CASE WHEN events_in_range.is_missing THEN 1 END) AS missing_version
FROM events_in_range GROUP BY events_in_range.day_index, events_in_range.value, events_in_range.event_name),
by_hour AS
(SELECT events_in_range.day_index AS day_index, events_in_range.value AS value, CONVERT(events_in_range.hour USING utf8mb4) COLLATE utf8mb4_nopad_bin AS by_value, count(*) AS events, count(CASE WHEN events_in_range.is_error THEN 1 END) AS errors, count(CASE WHEN events_in_range.is_missing THEN 1 END) AS missing_version
FROM events_in_range GROUP BY events_in_range.day_index, events_in_range.value, events_in_range.hour),
by_service_version AS
(SELECT events_in_range.day_index AS day_index, events_in_range.value AS value, CONVERT(events_in_range.service_version USING utf8mb4) COLLATE utf8mb4_nopad_bin AS by_value, count(*) AS events, count(CASE WHEN events_in_range.is_error THEN 1 END) AS errors, count(CASE WHEN events_in_range.is_missing THEN 1 END) AS missing_version
FROM events_in_range GROUP BY events_in_range.day_index, events_in_range.value, events_in_range.service_version)
 SELECT slices.day_index, slices.`by`, slices.value, slices.by_value, slices.events, slices.errors, slices.missing_version
FROM (SELECT anon_1.day_index AS day_index, %(param_1)s AS `by`, anon_1.value AS value, anon_1.by_value AS by_value, sum(anon_1.events) AS events, sum(anon_1.errors) AS errors, sum(anon_1.missing_version) AS missing_version
FROM (SELECT by_event_name.day_index AS day_index, CASE WHEN (kept_values.day_index IS NOT NULL) THEN by_event_name.value ELSE %(param_2)s END AS value, by_event_name.by_value AS by_value, by_event_name.events AS events, by_event_name.errors AS errors, by_event_name.missing_version AS missing_version
FROM by_event_name LEFT OUTER JOIN (SELECT ranked_values.day_index AS day_index, ranked_values.value AS value
FROM (SELECT value_sums.day_index AS day_index, value_sums.value AS value, row_number() OVER (PARTITION BY value_sums.day_index ORDER BY value_sums.events DESC, value_sums.value IS NOT NULL, value_sums.value) AS position
FROM (SELECT by_hour.day_index AS day_index, by_hour.value AS value, sum(by_hour.events) AS events
FROM by_hour GROUP BY by_hour.day_index, by_hour.value) AS value_sums) AS ranked_values
WHERE ranked_values.position <= %(position_1)s) AS kept_values ON kept_values.day_index = by_event_name.day_index AND kept_values.value <=> by_event_name.value) AS anon_1 GROUP BY anon_1.day_index, anon_1.value, anon_1.by_value UNION ALL SELECT anon_2.day_index AS day_index, %(param_13)s AS `by`, anon_2.value AS value, anon_2.by_value AS by_value, sum(anon_2.events) AS events, sum(anon_2.errors) AS errors, sum(anon_2.missing_version) AS missing_version
FROM (SELECT by_service_version.day_index AS day_index, CASE WHEN (kept_values.day_index IS NOT NULL) THEN by_service_version.value ELSE %(param_14)s END AS value, by_service_version.by_value AS by_value, by_service_version.events AS events, by_service_version.errors AS errors, by_service_version.missing_version AS missing_version
FROM by_service_version LEFT OUTER JOIN (SELECT ranked_values.day_index AS day_index, ranked_values.value AS value
FROM (SELECT value_sums.day_index AS day_index, value_sums.value AS value, row_number() OVER (PARTITION BY value_sums.day_index ORDER BY value_sums.events DESC, value_sums.value IS NOT NULL, value_sums.value) AS position
FROM (SELECT by_hour.day_index AS day_index, by_hour.value AS value, sum(by_hour.events) AS events
FROM by_hour GROUP BY by_hour.day_index, by_hour.value) AS value_sums) AS ranked_values
WHERE ranked_values.position <= %(position_1)s) AS kept_values ON kept_values.day_index = by_service_version.day_index AND kept_values.value <=> by_service_version.value) AS anon_2 GROUP BY anon_2.day_index, anon_2.value, anon_2.by_value UNION ALL SELECT anon_3.day_index AS day_index, %(param_15)s AS `by`, anon_3.value AS value, anon_3.by_value AS by_value, sum(anon_3.events) AS events, sum(anon_3.errors) AS errors, sum(anon_3.missing_version) AS missing_version
FROM (SELECT by_hour.day_index AS day_index, CASE WHEN (kept_values.day_index IS NOT NULL) THEN by_hour.value ELSE %(param_16)s END AS value, by_hour.by_value AS by_value, by_hour.events AS events, by_hour.errors AS errors, by_hour.missing_version AS missing_version
FROM by_hour LEFT OUTER JOIN (SELECT ranked_values.day_index AS day_index, ranked_values.value AS value
FROM (SELECT value_sums.day_index AS day_index, value_sums.value AS value, row_number() OVER (PARTITION BY value_sums.day_index ORDER BY value_sums.events DESC, value_sums.value IS NOT NULL, value_sums.value) AS position
FROM (SELECT by_hour.day_index AS day_index, by_hour.value AS value, sum(by_hour.events) AS events
FROM by_hour GROUP BY by_hour.day_index, by_hour.value) AS value_sums) AS ranked_values
WHERE ranked_values.position <= %(position_1)s) AS kept_values ON kept_values.day_index = by_hour.day_index AND kept_values.value <=> by_hour.value) AS anon_3 GROUP BY anon_3.day_index, anon_3.value, anon_3.by_value) AS slices

-- arrivals
SELECT arrivals.day_index, arrivals.hour, count(*) AS count_1
FROM (SELECT events_in_range.day_index AS day_index, CASE WHEN (events_in_range.arrived < (events_in_range.day_index + %(day_index_1)s) * %(param_1)s + %(param_2)s) THEN %(param_3)s WHEN (events_in_range.arrived < (events_in_range.day_index + %(day_index_1)s) * %(param_1)s + %(param_2)s + %(param_4)s) THEN %(param_5)s WHEN (events_in_range.arrived > (events_in_range.day_index + %(day_index_1)s) * %(param_1)s + %(param_2)s + %(param_6)s) THEN %(param_7)s ELSE (((events_in_range.arrived - ((events_in_range.day_index + %(day_index_1)s) * %(param_1)s + %(param_2)s)) - %(param_8)s) DIV %(param_9)s) + %(param_10)s END AS hour
FROM (SELECT ((((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) - %(param_11)s) DIV %(param_12)s)) DIV %(param_13)s) AS day_index, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.received_at) AS arrived
FROM events
WHERE events.occurred_at >= %(param_14)s AND events.occurred_at < %(param_15)s AND events.received_at IS NOT NULL) AS events_in_range
WHERE events_in_range.arrived IS NOT NULL) AS arrivals GROUP BY arrivals.day_index, arrivals.hour

-- invalid_timestamp
SELECT arrivals.day_index, count(*) AS count_1, count(CASE WHEN arrivals.occurred > arrivals.since_start * %(since_start_1)s + %(param_1)s THEN 1 END) AS anon_1, count(CASE WHEN arrivals.occurred < arrivals.since_start * %(since_start_2)s + %(param_2)s THEN 1 END) AS anon_2, count(CASE WHEN arrivals.occurred IS NULL THEN 1 END) AS anon_3
FROM (SELECT ((((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.received_at) - %(param_3)s) DIV %(param_4)s)) DIV %(param_5)s) AS day_index, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.received_at) - %(param_6)s AS since_start, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', events.occurred_at) AS occurred
FROM events
WHERE events.received_at >= %(param_7)s AND events.received_at < %(param_8)s) AS arrivals GROUP BY arrivals.day_index
