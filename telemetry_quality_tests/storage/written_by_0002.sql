-- What the version whose schema was 0002 wrote into an empty store, hashes and all; see test_older_stores.py.
INSERT INTO day_reading (sequence, source, day, revision, read_at, total_events, error_events, error_unknown_events, missing_version_events, late_events, sample_size, sample_passed, figures_hash, content_hash)
    VALUES (1, 'web', '2026-03-10', 1, '2026-06-01 12:00:00.000000', 107, 3, 0, 0, 0, 2, 1, 'e28499416c574fcac92572b51f24a4c0bfdef34dc91fcf07a4a2bcf79bff79a1', '9f3204ae96abecc859971d82b5742b87cc3f104e1d4850431d86c10211dbdebf');
INSERT INTO day_reading (sequence, source, day, revision, read_at, total_events, error_events, error_unknown_events, missing_version_events, late_events, sample_size, sample_passed, figures_hash, previous_hash, content_hash)
    VALUES (2, 'web', '2026-03-11', 1, '2026-06-01 12:00:00.000000', 108, 3, 0, 0, 0, 2, 1, '92832f109833e4de98133c6137fccfa44c48d1f165243565acbe55b10f6c456e', '9f3204ae96abecc859971d82b5742b87cc3f104e1d4850431d86c10211dbdebf', 'b0fa7daf7490fa492d217c182271b6de0ab116219cb11431f0ae17ed461c5a3a');
INSERT INTO day_reading (sequence, source, day, revision, read_at, unreadable_reason_code, unreadable_reason, figures_hash, previous_hash, content_hash)
    VALUES (3, 'web', '2026-03-12', 1, '2026-06-01 12:00:00.000000', 'NO_FILES', 'None.', '9942040254801654dd796eb5d4e971453a78f1d09e19aa7ba88ae3dded47ad5b', 'b0fa7daf7490fa492d217c182271b6de0ab116219cb11431f0ae17ed461c5a3a', '3d63426a26d713d7768850144bd59d5f9ff8f718a5cd521bbb538030b1bf29b0');
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (1, 'web', '2026-03-10', 1, 12, 'page.view', '1.0', 7, 3, 0, 0, '{"user_id": 1}', 0);
INSERT INTO event_aggregate (id, source, day, revision, hour, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (2, 'web', '2026-03-10', 1, 13, '1.0', 100, 0, 0, 0, '{"user_id": 0}', 0);
INSERT INTO event_aggregate (id, source, day, revision, hour, event_name, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (3, 'web', '2026-03-11', 1, 12, 'page.view', '1.0', 8, 3, 0, 0, '{"user_id": 1}', 0);
INSERT INTO event_aggregate (id, source, day, revision, hour, service_version, events, errors, error_unknown_events, missing_version, missing_critical, late_events)
    VALUES (4, 'web', '2026-03-11', 1, 13, '1.0', 100, 0, 0, 0, '{"user_id": 0}', 0);
INSERT INTO event_sample (id, source, day, revision, position, event_id, verdict, reason_codes)
    VALUES (1, 'web', '2026-03-10', 1, 0, 's1', 'passed', '[]');
INSERT INTO event_sample (id, source, day, revision, position, event_id, verdict, reason_codes)
    VALUES (2, 'web', '2026-03-10', 1, 1, 's2', 'failed', '["UNKNOWN_SIGNAL"]');
INSERT INTO event_sample (id, source, day, revision, position, event_id, verdict, reason_codes)
    VALUES (3, 'web', '2026-03-11', 1, 0, 's1', 'passed', '[]');
INSERT INTO event_sample (id, source, day, revision, position, event_id, verdict, reason_codes)
    VALUES (4, 'web', '2026-03-11', 1, 1, 's2', 'failed', '["UNKNOWN_SIGNAL"]');
INSERT INTO integrity_snapshot (sequence, source, day, revision, total_events, error_events, error_rate_percent, missing_version_events, missing_version_percent, sample_size, sample_passed, sampling_success_rate_percent, volume_deviation_percent, has_version_anomaly, has_error_spike, is_zero_activity, status, policy, computed_at, reading_revision, reading_hash, content_hash)
    VALUES (1, 'web', '2026-03-10', 1, 107, 0, 6.5, 0, 0.0, 100, 100, 100.0, 0.0, 0, 1, 0, 'unhealthy', '{"baseline":"weekday","error_rate_percent":5.0,"holidays":null,"missing_version_percent":1.0,"sample_size":100,"sample_success_percent":99.0,"volume_deviation_percent":30.0}', '2026-06-01 12:00:00.000000', 1, 'e28499416c574fcac92572b51f24a4c0bfdef34dc91fcf07a4a2bcf79bff79a1', 'cb0c5faacd6677c19519a5f949e1ae75417adcb83ba35bb3e73d931ec995b050');
INSERT INTO integrity_snapshot (sequence, source, day, revision, total_events, error_events, error_rate_percent, missing_version_events, missing_version_percent, sample_size, sample_passed, sampling_success_rate_percent, volume_deviation_percent, has_version_anomaly, has_error_spike, is_zero_activity, status, policy, computed_at, reading_revision, reading_hash, previous_hash, content_hash)
    VALUES (2, 'web', '2026-03-11', 1, 108, 0, 6.5, 0, 0.0, 100, 100, 100.0, 0.0, 0, 1, 0, 'unhealthy', '{"baseline":"weekday","error_rate_percent":5.0,"holidays":null,"missing_version_percent":1.0,"sample_size":100,"sample_success_percent":99.0,"volume_deviation_percent":30.0}', '2026-06-01 12:00:00.000000', 1, '92832f109833e4de98133c6137fccfa44c48d1f165243565acbe55b10f6c456e', 'cb0c5faacd6677c19519a5f949e1ae75417adcb83ba35bb3e73d931ec995b050', '31fa44a2a082d89d90467833d4f2c0b39efbb9e6f7478611be6162107a21c0d1');
INSERT INTO alert (sequence, source, day, revision, guardrail, level, reason_code, sentence, logged_at, content_hash)
    VALUES (1, 'web', '2026-03-10', 1, 'error_rate', 'CRITICAL', 'ERROR_RATE_HIGH', '6.50 % of 107 events are errors (0), more than the 5 % allowed.', '2026-06-01 12:00:00.000000', 'c0089ce070ce380ff9d1beffa4d05015277d3917c6e89a38ce1bdd244d60c642');
INSERT INTO alert (sequence, source, day, revision, guardrail, level, reason_code, sentence, logged_at, previous_hash, content_hash)
    VALUES (2, 'web', '2026-03-11', 1, 'error_rate', 'CRITICAL', 'ERROR_RATE_HIGH', '6.50 % of 108 events are errors (0), more than the 5 % allowed.', '2026-06-01 12:00:00.000000', 'c0089ce070ce380ff9d1beffa4d05015277d3917c6e89a38ce1bdd244d60c642', 'c870dab9c3a60766b0ed34377bf8635e92d4aaee5a0262154ed8d1630f8ce860');
