-- What the version whose schema was 0004 wrote of a day into an empty store, hashes and all; see test_older_stores.py.
INSERT INTO day_reading (sequence, source, day, revision, read_at, total_events, error_events, error_unknown_events, missing_version_events, late_events, sample_size, sample_passed, figures_hash, content_hash, missing_critical, compared_events, repeated_events, arrivals_by_hour, observed_events, future_events, stale_events, undated_events)
    VALUES (1, 'web', '2026-03-10', 1, '2026-06-01 12:00:00.000000', 507, 2, 5, 200, 3, 2, 1, 'e7dade06daa14f52fff9de95bc13135f8603f8ca6951917c2384bac2f6f10462', '75aff33fc1603edf85993654e4f08e3c0788a52dc9cd5548f2e67f192a3a9ad7', '{"user_id": 5}', 100, 4, '[90, 8, 0, 2]', 110, 3, 2, 1);
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (1, 'web', '2026-03-10', 1, 0, 'page.view', '1.0', 7, 2, 0, 0, '{"user_id": 1}', 0);
INSERT INTO event_aggregate (id, source, day, revision, hour, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (2, 'web', '2026-03-10', 1, 12, '1.0', 100, 0, 0, 0, '{"user_id": 0}', 0);
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (3, 'web', '2026-03-10', 1, 12, 'page.view', '1.0', 100, 0, 0, 0, '{"user_id": 0}', 3);
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (4, 'web', '2026-03-10', 1, 13, 'page.view', '', 100, 0, 0, 100, '{"user_id": 0}', 0);
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (5, 'web', '2026-03-10', 1, 13, 'page.view', '1.0', 100, 0, 5, 0, '{"user_id": 4}', 0);
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (6, 'web', '2026-03-10', 1, 14, 'page.view', '', 100, 0, 0, 100, '{"user_id": 0}', 0);
INSERT INTO event_sample (id, source, day, revision, position, event_id, verdict, reason_codes)
    VALUES (1, 'web', '2026-03-10', 1, 0, 's1', 'passed', '[]');
INSERT INTO event_sample (id, source, day, revision, position, event_id, verdict, reason_codes)
    VALUES (2, 'web', '2026-03-10', 1, 1, 's2', 'failed', '["UNKNOWN_SIGNAL"]');
INSERT INTO event_slice (id, source, day, revision, position, dimension, value, events, errors, missing_version)
    VALUES (1, 'web', '2026-03-10', 1, 0, 'event_name', '["page.view", null]', '[90, 10]', '[3, 0]', '[0, 10]');
INSERT INTO event_slice (id, source, day, revision, position, dimension, value, events, errors, missing_version)
    VALUES (2, 'web', '2026-03-10', 1, 1, 'platform', '["it''s \u201cios\u201d", null]', '[70, 30]', '[1, 2]', '[0, 0]');
INSERT INTO event_slice (id, source, day, revision, position, dimension, by_dimension, value, by_value, events, errors, missing_version)
    VALUES (3, 'web', '2026-03-10', 1, 2, 'platform', 'event_name', '["it''s \u201cios\u201d", null, "it''s \u201cios\u201d"]', '["page.view", "", null]', '[60, 20, 10]', '[1, 2, 0]', '[0, 0, 0]');
INSERT INTO event_slice (id, source, day, revision, position, dimension, by_dimension, value, by_value, events, errors, missing_version)
    VALUES (4, 'web', '2026-03-10', 1, 3, 'platform', 'hour', '[null]', '["7"]', '[0]', '[0]', '[0]');
INSERT INTO event_slice (id, source, day, revision, position, dimension, value, events, errors, missing_version)
    VALUES (5, 'web', '2026-03-10', 1, 4, 'service_version', '[""]', '[100]', '[3]', '[1099511627776]');
