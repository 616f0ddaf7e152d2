-- What the version whose schema was 0003 wrote into an empty store, hashes and all; see test_older_stores.py.
INSERT INTO day_reading (sequence, source, day, revision, read_at, total_events, error_events, error_unknown_events, missing_version_events, late_events, sample_size, sample_passed, figures_hash, content_hash, missing_critical, compared_events, repeated_events, arrivals_by_hour, observed_events, future_events, stale_events, undated_events)
    VALUES (1, 'web', '2026-03-10', 1, '2026-06-01 12:00:00.000000', 107, 0, 0, 0, 0, 2, 1, '2a481e3f7045fda7724dc470036197dec3271fd51ef5fcb3b82dc74796b5d11d', '6969e10d2282d82977ed69f41b0c26f48c3f8b3ed03eaf18c4498f6c327207d1', '{"user_id": 1}', 100, 4, '[90, 8, 0, 2]', 110, 3, 2, 1);
INSERT INTO day_reading (sequence, source, day, revision, read_at, total_events, error_events, error_unknown_events, missing_version_events, late_events, sample_size, sample_passed, figures_hash, previous_hash, content_hash, missing_critical, compared_events, repeated_events, arrivals_by_hour, observed_events, future_events, stale_events, undated_events)
    VALUES (2, 'web', '2026-03-11', 1, '2026-06-01 12:00:00.000000', 108, 0, 0, 0, 0, 2, 1, 'a70926ca5389a53d8569ee58928f1f23e97f1b6861b8ee5a15efe46a49dfdb4c', '6969e10d2282d82977ed69f41b0c26f48c3f8b3ed03eaf18c4498f6c327207d1', '1ebd11b71e7daac112846758d6821c47913a9a1e3fd912f08e80b2830a051cc8', '{"user_id": 1}', 100, 4, '[90, 8, 0, 2]', 110, 3, 2, 1);
INSERT INTO day_reading (sequence, source, day, revision, read_at, unreadable_reason_code, unreadable_reason, figures_hash, previous_hash, content_hash)
    VALUES (3, 'web', '2026-03-12', 1, '2026-06-01 12:00:00.000000', 'NO_FILES', 'None.', '9942040254801654dd796eb5d4e971453a78f1d09e19aa7ba88ae3dded47ad5b', '1ebd11b71e7daac112846758d6821c47913a9a1e3fd912f08e80b2830a051cc8', 'cec2c04bcb3f277b7329c14d33f2bf2dfa2941225fdcc0453de8f9a143f7ce39');
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (1, 'web', '2026-03-10', 1, 12, 'page.view', '1.0', 7, 0, 0, 0, '{"user_id": 1}', 0);
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (2, 'web', '2026-03-10', 1, 13, 'page.view', '1.0', 100, 0, 0, 0, '{"user_id": 0}', 0);
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (3, 'web', '2026-03-11', 1, 12, 'page.view', '1.0', 8, 0, 0, 0, '{"user_id": 1}', 0);
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (4, 'web', '2026-03-11', 1, 13, 'page.view', '1.0', 100, 0, 0, 0, '{"user_id": 0}', 0);
INSERT INTO event_sample (id, source, day, revision, position, event_id, verdict, reason_codes)
    VALUES (1, 'web', '2026-03-10', 1, 0, 's1', 'passed', '[]');
INSERT INTO event_sample (id, source, day, revision, position, event_id, verdict, reason_codes)
    VALUES (2, 'web', '2026-03-10', 1, 1, 's2', 'failed', '["UNKNOWN_SIGNAL"]');
INSERT INTO event_sample (id, source, day, revision, position, event_id, verdict, reason_codes)
    VALUES (3, 'web', '2026-03-11', 1, 0, 's1', 'passed', '[]');
INSERT INTO event_sample (id, source, day, revision, position, event_id, verdict, reason_codes)
    VALUES (4, 'web', '2026-03-11', 1, 1, 's2', 'failed', '["UNKNOWN_SIGNAL"]');
INSERT INTO event_slice (id, source, day, revision, position, dimension, by_dimension, value, by_value, events, errors, missing_version)
    VALUES (1, 'web', '2026-03-10', 1, 0, 'platform', 'event_name', '[null, "it''s \u201cios\u201d"]', '["", null]', '[20, 10]', '[2, 0]', '[0, 0]');
INSERT INTO event_slice (id, source, day, revision, position, dimension, by_dimension, value, by_value, events, errors, missing_version)
    VALUES (2, 'web', '2026-03-10', 1, 1, 'platform', 'hour', '[null]', '["7"]', '[0]', '[0]', '[0]');
INSERT INTO event_slice (id, source, day, revision, position, dimension, by_dimension, value, by_value, events, errors, missing_version)
    VALUES (3, 'web', '2026-03-11', 1, 0, 'platform', 'event_name', '[null, "it''s \u201cios\u201d"]', '["", null]', '[20, 10]', '[2, 0]', '[0, 0]');
INSERT INTO event_slice (id, source, day, revision, position, dimension, by_dimension, value, by_value, events, errors, missing_version)
    VALUES (4, 'web', '2026-03-11', 1, 1, 'platform', 'hour', '[null]', '["7"]', '[0]', '[0]', '[0]');
INSERT INTO integrity_snapshot (sequence, source, day, revision, total_events, error_events, error_rate_percent, missing_version_events, missing_version_percent, sample_size, sample_passed, sampling_success_rate_percent, expected_events, volume_deviation_percent, has_volume_anomaly, has_version_anomaly, has_error_spike, is_zero_activity, status, policy, computed_at, reading_revision, reading_hash, content_hash, expected_low_events, expected_high_events, is_volume_unusual, compared_events, repeated_events, duplicate_percent, critical_missing_percent, late_percent, misdated_percent, completeness_percent, is_provisional, verdicts_hash)
    VALUES (1, 'web', '2026-03-10', 1, 107, 0, 0.0, 0, 0.0, 100, 100, 100.0, 1000.0, 0.0, 0, 0, 0, 0, 'healthy', '{"baseline":"weekday","complete_percent":99.0,"critical_missing_percent":1.0,"duplicate_percent":10.0,"error_rate_percent":5.0,"holidays":null,"interval_percent":99.0,"late_percent":5.0,"leak_percent":15.0,"leak_spreads":2.75,"minimum_events":20,"misdated_percent":1.0,"missing_version_percent":1.0,"sample_size":100,"sample_success_percent":99.0,"version_drift_percent":10.0,"volume_deviation_percent":30.0,"volume_far_percent":40.0,"volume_rule":"both"}', '2026-06-01 12:00:00.000000', 1, '2a481e3f7045fda7724dc470036197dec3271fd51ef5fcb3b82dc74796b5d11d', 'bfff6327e5a1cd621bca82436dce093ebc4638b409a71d71a77fb309d48e059d', 900.0, 1100.0, 0, 1000, 0, 0.0, 2.5, 2.5, 2.5, 2.5, 0, '48c341a50ee3362e3ded1d03c1b9bc51080c7a2b6196b9626646899df55792e1');
INSERT INTO integrity_snapshot (sequence, source, day, revision, total_events, error_events, error_rate_percent, missing_version_events, missing_version_percent, sample_size, sample_passed, sampling_success_rate_percent, expected_events, volume_deviation_percent, has_volume_anomaly, has_version_anomaly, has_error_spike, is_zero_activity, status, policy, computed_at, reading_revision, reading_hash, previous_hash, content_hash, expected_low_events, expected_high_events, is_volume_unusual, compared_events, repeated_events, duplicate_percent, critical_missing_percent, late_percent, misdated_percent, completeness_percent, is_provisional, verdicts_hash)
    VALUES (2, 'web', '2026-03-11', 1, 108, 0, 0.0, 0, 0.0, 100, 100, 100.0, 1000.0, 0.0, 0, 0, 0, 0, 'healthy', '{"baseline":"weekday","complete_percent":99.0,"critical_missing_percent":1.0,"duplicate_percent":10.0,"error_rate_percent":5.0,"holidays":null,"interval_percent":99.0,"late_percent":5.0,"leak_percent":15.0,"leak_spreads":2.75,"minimum_events":20,"misdated_percent":1.0,"missing_version_percent":1.0,"sample_size":100,"sample_success_percent":99.0,"version_drift_percent":10.0,"volume_deviation_percent":30.0,"volume_far_percent":40.0,"volume_rule":"both"}', '2026-06-01 12:00:00.000000', 1, 'a70926ca5389a53d8569ee58928f1f23e97f1b6861b8ee5a15efe46a49dfdb4c', 'bfff6327e5a1cd621bca82436dce093ebc4638b409a71d71a77fb309d48e059d', '782984bbb1d47d06434543d0dba9a1f2fa5fd108dd1e11cdac4582f40aee27c8', 900.0, 1100.0, 0, 1000, 0, 0.0, 2.5, 2.5, 2.5, 2.5, 0, '48c341a50ee3362e3ded1d03c1b9bc51080c7a2b6196b9626646899df55792e1');
INSERT INTO guardrail_verdict (id, source, day, revision, position, guardrail, level, outcome, reason_code, value, threshold, sentence, causes)
    VALUES (1, 'web', '2026-03-10', 1, 0, 'volume', 'INFO', 'failed', 'VOLUME_LOW', -3.33333333333333357026e+01, 30.0, 'It''s “odd” 🛰️
', '[{"parts": [["platform", "ios"], ["event_name", null]], "hours": [7, 9], "expected": 0.30000000000000004, "found": 12, "share_percent": 33.333333333333336, "since": "2026-03-08"}, {"parts": [], "hours": null, "expected": 1000, "found": 0.0, "share_percent": null, "since": null}]');
INSERT INTO guardrail_verdict (id, source, day, revision, position, guardrail, level, outcome, reason_code, sentence, causes)
    VALUES (2, 'web', '2026-03-10', 1, 1, 'sample', 'WARNING', 'unknown', 'NO_EVENTS', '', '[]');
INSERT INTO guardrail_verdict (id, source, day, revision, position, guardrail, level, outcome, reason_code, value, threshold, sentence, causes)
    VALUES (3, 'web', '2026-03-10', 1, 2, 'activity', 'CRITICAL', 'passed', 'ACTIVITY_SEEN', 12.0, 1.0, 'Twelve events.', '[]');
INSERT INTO guardrail_verdict (id, source, day, revision, position, guardrail, level, outcome, reason_code, value, threshold, sentence, causes)
    VALUES (4, 'web', '2026-03-11', 1, 0, 'volume', 'INFO', 'failed', 'VOLUME_LOW', -3.33333333333333357026e+01, 30.0, 'It''s “odd” 🛰️
', '[{"parts": [["platform", "ios"], ["event_name", null]], "hours": [7, 9], "expected": 0.30000000000000004, "found": 12, "share_percent": 33.333333333333336, "since": "2026-03-08"}, {"parts": [], "hours": null, "expected": 1000, "found": 0.0, "share_percent": null, "since": null}]');
INSERT INTO guardrail_verdict (id, source, day, revision, position, guardrail, level, outcome, reason_code, sentence, causes)
    VALUES (5, 'web', '2026-03-11', 1, 1, 'sample', 'WARNING', 'unknown', 'NO_EVENTS', '', '[]');
INSERT INTO guardrail_verdict (id, source, day, revision, position, guardrail, level, outcome, reason_code, value, threshold, sentence, causes)
    VALUES (6, 'web', '2026-03-11', 1, 2, 'activity', 'CRITICAL', 'passed', 'ACTIVITY_SEEN', 12.0, 1.0, 'Twelve events.', '[]');
INSERT INTO alert (sequence, source, day, revision, guardrail, level, reason_code, sentence, logged_at, content_hash)
    VALUES (1, 'web', '2026-03-10', 1, 'volume', 'INFO', 'VOLUME', 'Too few.', '2026-06-01 12:00:00.000000', '75c61418967ba3d4a3d845dd4ede442d1c2423b63fc676f51b5dc70bf36373c3');
INSERT INTO alert (sequence, source, day, revision, guardrail, level, reason_code, sentence, logged_at, previous_hash, content_hash)
    VALUES (2, 'web', '2026-03-11', 1, 'volume', 'INFO', 'VOLUME', 'Too few.', '2026-06-01 12:00:00.000000', '75c61418967ba3d4a3d845dd4ede442d1c2423b63fc676f51b5dc70bf36373c3', '95a0da2bca852d61846cdfb74244687097c43a06c99a7fbd56e36ffb875005fd');
INSERT INTO incident_act (sequence, source, day, cause, act, acted_by, note, until, acted_at, content_hash)
    VALUES (1, 'web', '2026-03-10', 'platform=ios', 'mute', 'ada@example.org', 'it''s known; see “the plan”', '2026-04-01', '2026-03-11 08:30:00.000000', 'a3a649575d3e1d424431e5d669e0683560d592802d67b1179ebe665a669f5b48');
INSERT INTO incident_act (sequence, source, day, cause, act, acted_by, note, until, acted_at, previous_hash, content_hash)
    VALUES (2, 'web', '2026-03-11', 'platform=ios', 'mute', 'ada@example.org', 'it''s known; see “the plan”', '2026-04-01', '2026-03-11 08:30:00.000000', 'a3a649575d3e1d424431e5d669e0683560d592802d67b1179ebe665a669f5b48', '777cf00b129aeb2c591646978b29caa824ca19b447b27180fd9e9add342883c2');
