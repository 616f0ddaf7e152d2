"""Frames hold the stored snapshots, with types that do not depend on what was found."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from telemetry_quality import load_settings, load_snapshots, load_training_days, load_trusted_days
from telemetry_quality.core.known_days import DAY_COLUMNS
from telemetry_quality.core.marks import Gate
from telemetry_quality.core.snapshots import DayStatus, TelemetryIntegritySnapshot
from telemetry_quality.core.training import TRAINING_COLUMNS
from telemetry_quality.errors import RequestError, SettingsError, StoreError
from telemetry_quality_tests.builders import DAY, NOW, make_snapshot, make_store, make_verdicts

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from telemetry_quality import Settings
    from telemetry_quality.storage.store import SqlQualityStore

SETTINGS = """
store = "sqlite:///quality.db"

[sources.web]
connector = "parquet"
path = "events/**/*.parquet"
time_zone = "UTC"
first_day = 2026-01-01

[sources.web.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "service_version"
is_error = "is_error"

[sources.app]
connector = "parquet"
path = "app/**/*.parquet"
time_zone = "UTC"
first_day = 2026-01-01

[sources.app.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "service_version"
is_error = "is_error"
"""
NEXT_DAY = DAY + timedelta(days=1)
NOT_READ: dict[str, Any] = {
    **{field.name: None for field in fields(make_snapshot()) if field.name.endswith(("_events", "_percent"))},
    "unreadable_reason_code": "FILE_CORRUPT",
    "unreadable_reason": "The file is broken.",
}
FIGURES_OF_A_DAY = ("total_events", "error_events", "error_rate_percent", "missing_version_percent")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "telemetry.toml").write_text(SETTINGS)
    return load_settings(tmp_path / "telemetry.toml")


@pytest.fixture
def store(tmp_path: Path) -> SqlQualityStore:
    return make_store(tmp_path)


def keep(store: SqlQualityStore, day: date = DAY, source: str = "web", **figures: Any) -> None:
    store.append_snapshot(make_snapshot(day, source=source, **figures), make_verdicts(**figures))


def test_a_frame_has_a_row_per_source_and_day_that_has_a_snapshot(settings: Settings, store: SqlQualityStore) -> None:
    for day in (DAY - timedelta(days=1), DAY, NEXT_DAY, DAY + timedelta(days=3)):
        keep(store, day)
    keep(store, NEXT_DAY, "app")

    frame = load_snapshots(DAY, DAY + timedelta(days=2), settings)

    assert list(zip(frame["source"], frame["day"].dt.date, strict=True)) == [
        ("web", DAY),
        ("web", NEXT_DAY),
        ("app", NEXT_DAY),
    ]
    assert list(load_snapshots(DAY, NEXT_DAY, settings, "app")["source"]) == ["app"]


def test_the_current_revision_of_a_day_is_shown(settings: Settings, store: SqlQualityStore) -> None:
    keep(store)
    keep(store, error_events=90, error_rate_percent=9.0)

    frame = load_snapshots(DAY, DAY, settings)

    assert frame[["revision", "error_events", "status"]].to_numpy().tolist() == [[2, 90, "unhealthy"]]


def test_every_field_of_a_snapshot_is_a_column_with_its_name_and_value(
    settings: Settings, store: SqlQualityStore
) -> None:
    keep(store)
    (kept,) = store.snapshots("web", DAY, DAY)

    frame = load_snapshots(DAY, DAY, settings)

    assert list(frame.columns)[:3] == ["source", "day", "revision"]
    assert set(frame.columns) == {field.name for field in fields(TelemetryIntegritySnapshot)}
    for name in frame.columns:
        found, stored = frame[name].iloc[0], getattr(kept, name)
        if name == "day":
            found = found.date()
        if name == "extra_numbers":
            found = json.loads(found)
        assert pd.isna(found) if stored is None else found == stored, name


def test_a_day_that_could_not_be_read_is_not_available_and_never_zero(
    settings: Settings, store: SqlQualityStore
) -> None:
    keep(store)
    keep(store, NEXT_DAY, **NOT_READ)

    frame = load_snapshots(DAY, NEXT_DAY, settings).set_index("day")

    unread = frame.loc[pd.Timestamp(NEXT_DAY)]
    assert all(unread[name] is pd.NA for name in (*FIGURES_OF_A_DAY, "is_zero_activity"))
    assert (unread["status"], unread["unreadable_reason_code"]) == ("unknown", "FILE_CORRUPT")
    assert frame["total_events"].sum() == 1000
    assert frame["unreadable_reason_code"].isna().tolist() == [True, False]


def test_columns_and_types_do_not_depend_on_what_was_found(settings: Settings, store: SqlQualityStore) -> None:
    empty = load_snapshots(DAY, NEXT_DAY, settings)
    keep(store, **NOT_READ)
    unread = load_snapshots(DAY, NEXT_DAY, settings)
    keep(store, NEXT_DAY)
    both = load_snapshots(DAY, NEXT_DAY, settings)

    assert (len(empty), len(unread), len(both)) == (0, 1, 2)
    assert list(empty.dtypes.items()) == list(unread.dtypes.items()) == list(both.dtypes.items())
    assert {name: str(empty[name].dtype) for name in ("day", "computed_at", "total_events", "error_rate_percent")} == {
        "day": "datetime64[s]",
        "computed_at": "datetime64[us, UTC]",
        "total_events": "Int64",
        "error_rate_percent": "Float64",
    }
    assert isinstance(empty["source"].dtype, pd.StringDtype)
    assert isinstance(empty["is_provisional"].dtype, pd.BooleanDtype)
    assert list(empty["status"].cat.categories) == [status.value for status in DayStatus]
    assert both["computed_at"].iloc[1] == NOW


def test_trusted_days_are_only_those_that_can_be_trusted_and_as_of_an_instant_those_that_could(
    settings: Settings, store: SqlQualityStore
) -> None:
    for source in ("web", "app"):
        keep(store, source=source)
    keep(store, NEXT_DAY, **NOT_READ)
    later = NOW + timedelta(hours=1)
    errors: dict[str, Any] = {"error_events": 90, "error_rate_percent": 9.0}
    store.append_snapshot(replace(make_snapshot(**errors), computed_at=later), make_verdicts(**errors))

    now = load_trusted_days(DAY, NEXT_DAY, settings)
    then = load_trusted_days(DAY, NEXT_DAY, settings, as_of=pd.Timestamp(NOW))

    assert list(now["source"]) == ["app"]
    assert list(then["source"]) == ["web", "app"]
    assert then["error_events"].tolist() == [0, 0]
    assert load_snapshots(DAY, DAY, settings, "web", as_of=NOW)["error_events"].tolist() == [0]
    assert load_snapshots(DAY, DAY, settings, "web")["error_events"].tolist() == [90]
    assert list(load_trusted_days(DAY, DAY, settings, "web").dtypes.items()) == list(then.dtypes.items())
    assert tuple(then.columns) == tuple(column.name for column in DAY_COLUMNS)
    assert {str(then[name].dtype) for name in ("is_trusted", "is_accepted")} == {"boolean"}


def test_days_are_trusted_by_the_gate_of_their_source_and_provisional_ones_only_if_it_says_so(
    settings: Settings, store: SqlQualityStore
) -> None:
    early = {"completeness_percent": 80.0, "is_provisional": True}
    degraded = {"missing_version_events": 20, "missing_version_percent": 2.0}
    for source in ("web", "app"):
        keep(store, DAY, source, **early)
        keep(store, NEXT_DAY, source, **degraded)
    open_app = settings.sources["app"].model_copy(update={"gate": Gate.NOT_UNHEALTHY})
    opened = settings.model_copy(update={"sources": settings.sources | {"app": open_app}})

    assert list(load_trusted_days(DAY, NEXT_DAY, settings)["source"]) == []
    assert list(load_trusted_days(DAY, NEXT_DAY, opened)["source"]) == ["app", "app"]
    frame = load_training_days(DAY, NEXT_DAY, opened)
    assert frame["weight"].tolist() == [0.0, 0.0, 0.8, 1.0]
    assert frame["why_not"].tolist() == ["PROVISIONAL", "missing_version:VERSION_MISSING"] * 2


def test_training_days_have_a_row_per_judged_day_as_known_then_and_types_of_their_own(
    settings: Settings, store: SqlQualityStore
) -> None:
    empty = load_training_days(DAY, NEXT_DAY, settings)
    keep(store)
    keep(store, NEXT_DAY, **NOT_READ)

    frame = load_training_days(DAY, NEXT_DAY, settings, as_of=NOW)

    assert tuple(frame.columns) == tuple(column.name for column in TRAINING_COLUMNS)
    assert list(frame.dtypes.items()) == list(empty.dtypes.items())
    assert frame[["is_healthy", "weight", "total_events"]].astype(object).to_numpy().tolist() == [
        [True, 1.0, 1000],
        [pd.NA, 0.0, pd.NA],
    ]
    assert len(load_training_days(DAY, NEXT_DAY, settings, as_of=NOW - timedelta(hours=1))) == 0


def test_an_instant_without_a_zone_is_refused(settings: Settings, store: SqlQualityStore) -> None:
    keep(store)
    for load in (load_snapshots, load_trusted_days, load_training_days):
        with pytest.raises(RequestError, match=r"2026-06-01T12:00:00 has no zone; pass one in UTC\."):
            load(DAY, DAY, settings, as_of=NOW.replace(tzinfo=None))


def test_without_settings_those_of_this_folder_are_used(
    settings: Settings, store: SqlQualityStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store)
    monkeypatch.chdir(tmp_path)

    assert len(load_snapshots(DAY, DAY)) == 1


def test_an_invalid_request_or_an_unreadable_store_is_one_sentence(settings: Settings) -> None:
    with pytest.raises(RequestError, match=f"The first day must not be after the last, but {NEXT_DAY} is after {DAY}"):
        load_snapshots(NEXT_DAY, DAY, settings)
    with pytest.raises(SettingsError, match="requires one of web, app, but --source shop was given"):
        load_snapshots(DAY, DAY, settings, "shop")
    with pytest.raises(StoreError, match=r"telemetry-quality migrate"):
        load_snapshots(DAY, DAY, settings)
