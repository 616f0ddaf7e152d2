-- aggregates
WITH event_groups AS
(SELECT events_in_range.day_index AS day_index, events_in_range.hour AS hour, events_in_range.name AS name, events_in_range.version AS version, count(*) AS events, count(CASE WHEN events_in_range.is_error THEN 1 END) AS errors, count(CASE WHEN events_in_range.is_error IS NULL THEN 1 END) AS error_unknown_events, count(CASE WHEN events_in_range.is_late THEN 1 END) AS late_events, count(CASE WHEN events_in_range.missing_0 THEN 1 END) AS missing_0, count(CASE WHEN events_in_range.is_unidentified = 1 OR events_in_range.missing_0 = 1 THEN 1 END) AS incomplete_events
FROM (SELECT ((telemetry_epoch_microseconds(events.occurred_at) - ?) / ?) / ? AS day_index, ((telemetry_epoch_microseconds(events.occurred_at) - ?) / ?) % ? AS hour, (CASE WHEN length(CAST(CAST(events.event_name AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.event_name AS VARCHAR) AS BLOB)) ELSE CAST(events.event_name AS VARCHAR) END) AS name, (CASE WHEN length(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) ELSE CAST(events.service_version AS VARCHAR) END) AS version, severity >= ? AS is_error, telemetry_epoch_microseconds(events.received_at) / ? - telemetry_epoch_microseconds(events.occurred_at) / ? > ? AS is_late, events.event_id IS NULL AS is_unidentified, events.user_id IS NULL OR trim(events.user_id) = ? AS missing_0
FROM events
WHERE events.occurred_at >= ? AND events.occurred_at < ? AND telemetry_epoch_microseconds(events.occurred_at) >= ? AND telemetry_epoch_microseconds(events.occurred_at) < ?
 LIMIT ? OFFSET ?) AS events_in_range GROUP BY events_in_range.day_index, events_in_range.hour, events_in_range.name, events_in_range.version)
 SELECT hours.day_index, hours.name, hours.version, CAST(sum(hours.events) AS BIGINT) AS sum_1, CAST(sum(hours.errors) AS BIGINT) AS sum_2, CAST(sum(hours.error_unknown_events) AS BIGINT) AS sum_3, CAST(sum(hours.late_events) AS BIGINT) AS sum_4, CAST(sum(hours.missing_0) AS BIGINT) AS sum_5, group_concat(hours.numbers, ',') AS anon_1, CAST(sum(hours.incomplete_events) AS BIGINT) AS sum_6
FROM (SELECT event_groups.day_index AS day_index, event_groups.name AS name, event_groups.version AS version, event_groups.events AS events, event_groups.errors AS errors, event_groups.error_unknown_events AS error_unknown_events, event_groups.late_events AS late_events, event_groups.missing_0 AS missing_0, event_groups.incomplete_events AS incomplete_events, CAST(event_groups.hour AS VARCHAR) || ? || CAST(event_groups.events AS VARCHAR) || ? || CAST(event_groups.errors AS VARCHAR) || ? || CAST(event_groups.error_unknown_events AS VARCHAR) || ? || CAST(event_groups.late_events AS VARCHAR) || ? || CAST(event_groups.missing_0 AS VARCHAR) AS numbers
FROM event_groups) AS hours GROUP BY hours.day_index, hours.name, hours.version ORDER BY hours.day_index, hours.name NULLS FIRST, hours.version NULLS FIRST

-- unidentified
SELECT events_in_range.day_index, events_in_range.name, events_in_range.version, count(*) AS count_1
FROM (SELECT ((telemetry_epoch_microseconds(events.occurred_at) - ?) / ?) / ? AS day_index, (CASE WHEN length(CAST(CAST(events.event_name AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.event_name AS VARCHAR) AS BLOB)) ELSE CAST(events.event_name AS VARCHAR) END) AS name, (CASE WHEN length(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) ELSE CAST(events.service_version AS VARCHAR) END) AS version
FROM events
WHERE events.occurred_at >= ? AND events.occurred_at < ? AND telemetry_epoch_microseconds(events.occurred_at) >= ? AND telemetry_epoch_microseconds(events.occurred_at) < ? AND events.event_id IS NULL AND NOT (events.user_id IS NULL OR trim(events.user_id) = ?)
 LIMIT ? OFFSET ?) AS events_in_range GROUP BY events_in_range.day_index, events_in_range.name, events_in_range.version

-- count
SELECT events_in_range.day_index, count(*) AS count_1
FROM (SELECT ((telemetry_epoch_microseconds(events.occurred_at) - ?) / ?) / ? AS day_index
FROM events
WHERE events.occurred_at >= ? AND events.occurred_at < ? AND telemetry_epoch_microseconds(events.occurred_at) >= ? AND telemetry_epoch_microseconds(events.occurred_at) < ?
 LIMIT ? OFFSET ?) AS events_in_range GROUP BY events_in_range.day_index

-- versions
SELECT events_in_range.version, count(*) AS count_1, count(CASE WHEN events_in_range.is_error THEN 1 END) AS anon_1, count(CASE WHEN events_in_range.is_error IS NULL THEN 1 END) AS anon_2, count(CASE WHEN events_in_range.missing_0 THEN 1 END) AS anon_3
FROM (SELECT (CASE WHEN length(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) ELSE CAST(events.service_version AS VARCHAR) END) AS version, severity >= ? AS is_error, events.user_id IS NULL OR trim(events.user_id) = ? AS missing_0
FROM events
WHERE events.occurred_at >= ? AND events.occurred_at < ? AND telemetry_epoch_microseconds(events.occurred_at) >= ? AND telemetry_epoch_microseconds(events.occurred_at) < ?
 LIMIT ? OFFSET ?) AS events_in_range GROUP BY events_in_range.version

-- sample
SELECT drawn_events.day_index, drawn_events.id, drawn_events.name, drawn_events.version, drawn_events.missing_0
FROM (SELECT events_in_range.drawn AS drawn, events_in_range.day_index AS day_index, events_in_range.id AS id, events_in_range.name AS name, events_in_range.version AS version, events_in_range.missing_0 AS missing_0, row_number() OVER (PARTITION BY events_in_range.day_index ORDER BY events_in_range.drawn, events_in_range.id, events_in_range.name, events_in_range.version) AS position
FROM (SELECT telemetry_sample_hash(coalesce(CAST(events.event_id AS VARCHAR), CAST(telemetry_epoch_microseconds(events.occurred_at) AS VARCHAR) || ? || coalesce(CAST(events.event_name AS VARCHAR), ?) || ? || coalesce(CAST(events.service_version AS VARCHAR), ?)) || ?) AS drawn, ((telemetry_epoch_microseconds(events.occurred_at) - ?) / ?) / ? AS day_index, (CASE WHEN length(CAST(CAST(events.event_id AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.event_id AS VARCHAR) AS BLOB)) ELSE CAST(events.event_id AS VARCHAR) END) AS id, (CASE WHEN length(CAST(CAST(events.event_name AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.event_name AS VARCHAR) AS BLOB)) ELSE CAST(events.event_name AS VARCHAR) END) AS name, (CASE WHEN length(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) ELSE CAST(events.service_version AS VARCHAR) END) AS version, events.user_id IS NULL OR trim(events.user_id) = ? AS missing_0
FROM events
WHERE events.occurred_at >= ? AND events.occurred_at < ? AND telemetry_epoch_microseconds(events.occurred_at) >= ? AND telemetry_epoch_microseconds(events.occurred_at) < ?
 LIMIT ? OFFSET ?) AS events_in_range JOIN (SELECT ? AS day_index, ? AS threshold UNION ALL SELECT ? AS day_index, ? AS threshold) AS thresholds ON thresholds.day_index = events_in_range.day_index AND events_in_range.drawn <= thresholds.threshold AND events_in_range.drawn <= ?) AS drawn_events
WHERE drawn_events.position <= ? ORDER BY drawn_events.day_index, drawn_events.position

-- values
SELECT events_in_range.value, count(*) AS count_1
FROM (SELECT (CASE WHEN length(CAST(CAST(events.platform AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.platform AS VARCHAR) AS BLOB)) ELSE CAST(events.platform AS VARCHAR) END) AS value
FROM events
WHERE events.occurred_at >= ? AND events.occurred_at < ? AND telemetry_epoch_microseconds(events.occurred_at) >= ? AND telemetry_epoch_microseconds(events.occurred_at) < ?
 LIMIT ? OFFSET ?) AS events_in_range GROUP BY events_in_range.value ORDER BY count(*) DESC, events_in_range.value
 LIMIT ? OFFSET ?

-- duplicates
SELECT events_in_range.day_index, count(*) AS count_1, count(DISTINCT events_in_range.compared) AS count_2
FROM (SELECT ((telemetry_epoch_microseconds(events.occurred_at) - ?) / ?) / ? AS day_index, CAST(events.event_id AS VARCHAR) AS compared
FROM events
WHERE events.occurred_at >= ? AND events.occurred_at < ? AND telemetry_epoch_microseconds(events.occurred_at) >= ? AND telemetry_epoch_microseconds(events.occurred_at) < ? AND events.event_id IS NOT NULL AND telemetry_sample_hash(CAST(events.event_id AS VARCHAR)) < ?
 LIMIT ? OFFSET ?) AS events_in_range GROUP BY events_in_range.day_index

-- slices
WITH events_in_range AS
(SELECT ((telemetry_epoch_microseconds(events.occurred_at) - ?) / ?) / ? AS day_index, (CASE WHEN length(CAST(CAST(events.platform AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.platform AS VARCHAR) AS BLOB)) ELSE CAST(events.platform AS VARCHAR) END) AS value, (CASE WHEN length(CAST(CAST(events.event_name AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.event_name AS VARCHAR) AS BLOB)) ELSE CAST(events.event_name AS VARCHAR) END) AS event_name, (CASE WHEN length(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) ELSE CAST(events.service_version AS VARCHAR) END) AS service_version, ((telemetry_epoch_microseconds(events.occurred_at) - ?) / ?) % ? AS hour, severity >= ? AS is_error, (CASE WHEN length(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) ELSE CAST(events.service_version AS VARCHAR) END) IS NULL OR (CASE WHEN length(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) > 200 THEN telemetry_clipped(CAST(CAST(events.service_version AS VARCHAR) AS BLOB)) ELSE CAST(events.service_version AS VARCHAR) END) IN (?) AS is_missing
FROM events
WHERE events.occurred_at >= ? AND events.occurred_at < ? AND telemetry_epoch_microseconds(events.occurred_at) >= ? AND telemetry_epoch_microseconds(events.occurred_at) < ?
 LIMIT ? OFFSET ?),
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
FROM (SELECT anon_1.day_index AS day_index, ? AS "by", anon_1.value AS value, anon_1.by_value AS by_value, sum(anon_1.events) AS events, sum(anon_1.errors) AS errors, sum(anon_1.missing_version) AS missing_version
FROM (SELECT by_event_name.day_index AS day_index, CASE WHEN (kept_values.day_index IS NOT NULL) THEN by_event_name.value ELSE ? END AS value, by_event_name.by_value AS by_value, by_event_name.events AS events, by_event_name.errors AS errors, by_event_name.missing_version AS missing_version
FROM by_event_name LEFT OUTER JOIN (SELECT ranked_values.day_index AS day_index, ranked_values.value AS value
FROM (SELECT value_sums.day_index AS day_index, value_sums.value AS value, row_number() OVER (PARTITION BY value_sums.day_index ORDER BY value_sums.events DESC, value_sums.value IS NOT NULL, value_sums.value) AS position
FROM (SELECT by_hour.day_index AS day_index, by_hour.value AS value, sum(by_hour.events) AS events
FROM by_hour GROUP BY by_hour.day_index, by_hour.value) AS value_sums) AS ranked_values
WHERE ranked_values.position <= ?) AS kept_values ON kept_values.day_index = by_event_name.day_index AND kept_values.value IS by_event_name.value) AS anon_1 GROUP BY anon_1.day_index, anon_1.value, anon_1.by_value UNION ALL SELECT anon_2.day_index AS day_index, ? AS "by", anon_2.value AS value, anon_2.by_value AS by_value, sum(anon_2.events) AS events, sum(anon_2.errors) AS errors, sum(anon_2.missing_version) AS missing_version
FROM (SELECT by_service_version.day_index AS day_index, CASE WHEN (kept_values.day_index IS NOT NULL) THEN by_service_version.value ELSE ? END AS value, by_service_version.by_value AS by_value, by_service_version.events AS events, by_service_version.errors AS errors, by_service_version.missing_version AS missing_version
FROM by_service_version LEFT OUTER JOIN (SELECT ranked_values.day_index AS day_index, ranked_values.value AS value
FROM (SELECT value_sums.day_index AS day_index, value_sums.value AS value, row_number() OVER (PARTITION BY value_sums.day_index ORDER BY value_sums.events DESC, value_sums.value IS NOT NULL, value_sums.value) AS position
FROM (SELECT by_hour.day_index AS day_index, by_hour.value AS value, sum(by_hour.events) AS events
FROM by_hour GROUP BY by_hour.day_index, by_hour.value) AS value_sums) AS ranked_values
WHERE ranked_values.position <= ?) AS kept_values ON kept_values.day_index = by_service_version.day_index AND kept_values.value IS by_service_version.value) AS anon_2 GROUP BY anon_2.day_index, anon_2.value, anon_2.by_value UNION ALL SELECT anon_3.day_index AS day_index, ? AS "by", anon_3.value AS value, anon_3.by_value AS by_value, sum(anon_3.events) AS events, sum(anon_3.errors) AS errors, sum(anon_3.missing_version) AS missing_version
FROM (SELECT by_hour.day_index AS day_index, CASE WHEN (kept_values.day_index IS NOT NULL) THEN by_hour.value ELSE ? END AS value, by_hour.by_value AS by_value, by_hour.events AS events, by_hour.errors AS errors, by_hour.missing_version AS missing_version
FROM by_hour LEFT OUTER JOIN (SELECT ranked_values.day_index AS day_index, ranked_values.value AS value
FROM (SELECT value_sums.day_index AS day_index, value_sums.value AS value, row_number() OVER (PARTITION BY value_sums.day_index ORDER BY value_sums.events DESC, value_sums.value IS NOT NULL, value_sums.value) AS position
FROM (SELECT by_hour.day_index AS day_index, by_hour.value AS value, sum(by_hour.events) AS events
FROM by_hour GROUP BY by_hour.day_index, by_hour.value) AS value_sums) AS ranked_values
WHERE ranked_values.position <= ?) AS kept_values ON kept_values.day_index = by_hour.day_index AND kept_values.value IS by_hour.value) AS anon_3 GROUP BY anon_3.day_index, anon_3.value, anon_3.by_value) AS slices

-- arrivals
SELECT arrivals.day_index, arrivals.hour, count(*) AS count_1
FROM (SELECT events_in_range.day_index AS day_index, CASE WHEN (events_in_range.arrived < (events_in_range.day_index + ?) * ? + ?) THEN ? WHEN (events_in_range.arrived < (events_in_range.day_index + ?) * ? + ? + ?) THEN ? WHEN (events_in_range.arrived > (events_in_range.day_index + ?) * ? + ? + ?) THEN ? ELSE ((events_in_range.arrived - ((events_in_range.day_index + ?) * ? + ?)) - ?) / ? + ? END AS hour
FROM (SELECT ((telemetry_epoch_microseconds(events.occurred_at) - ?) / ?) / ? AS day_index, telemetry_epoch_microseconds(events.received_at) AS arrived
FROM events
WHERE events.occurred_at >= ? AND events.occurred_at < ? AND telemetry_epoch_microseconds(events.occurred_at) >= ? AND telemetry_epoch_microseconds(events.occurred_at) < ? AND events.received_at IS NOT NULL
 LIMIT ? OFFSET ?) AS events_in_range
WHERE events_in_range.arrived IS NOT NULL) AS arrivals GROUP BY arrivals.day_index, arrivals.hour

-- invalid_timestamp
SELECT arrivals.day_index, count(*) AS count_1, count(CASE WHEN arrivals.occurred > arrivals.since_start * ? + ? THEN 1 END) AS anon_1, count(CASE WHEN arrivals.occurred < arrivals.since_start * ? + ? THEN 1 END) AS anon_2, count(CASE WHEN arrivals.occurred IS NULL THEN 1 END) AS anon_3
FROM (SELECT ((telemetry_epoch_microseconds(events.received_at) - ?) / ?) / ? AS day_index, telemetry_epoch_microseconds(events.received_at) - ? AS since_start, telemetry_epoch_microseconds(events.occurred_at) AS occurred
FROM events
WHERE events.received_at >= ? AND events.received_at < ? AND telemetry_epoch_microseconds(events.received_at) >= ? AND telemetry_epoch_microseconds(events.received_at) < ?
 LIMIT ? OFFSET ?) AS arrivals GROUP BY arrivals.day_index
