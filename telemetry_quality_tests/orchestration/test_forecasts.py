"""The asset ``expected_volume`` keeps a forecast after each run of a day, and shows how right earlier ones were."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from telemetry_quality.core.forecasts.making import keep_forecast
from telemetry_quality.core.forecasts.model import Forecast
from telemetry_quality.core.forecasts.scoring import ForecastScore, Score
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.dagster import build_definitions
from telemetry_quality.orchestration.forecasts import forecast_metadata
from telemetry_quality_tests.builders import DAY, NOW
from telemetry_quality_tests.core.forecasts.streams import FIRST, now_after, stored_stream
from telemetry_quality_tests.orchestration.station import FIRST_DAY, make_station
from telemetry_quality_tests.storage.examples import make_forecast

if TYPE_CHECKING:
    from pathlib import Path

KEY = dg.AssetKey(["web", "expected_volume"])
DAYS = 65


def metadata_of(instance: dg.DagsterInstance) -> dict[str, Any]:
    event = instance.get_latest_materialization_event(KEY)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_a_run_of_a_day_refreshes_the_forecast_once(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """The clock stands in June, two months after the last stored day."""
    station = make_station(tmp_path, extra=f"last_day = {FIRST + timedelta(days=DAYS - 1)}")
    store = stored_stream(tmp_path, DAYS)
    assert station.run(instance, FIRST_DAY).success
    shown = metadata_of(instance)
    assert (shown["made_on"], shown["is_new_revision"], shown["interval_percent"]) == ("2026-03-10", True, "90")
    assert [record.data["day"] for record in shown["coming"].records[:2]] == ["2026-03-11 Wed", "2026-03-12 Thu"]
    assert "coverage_percent" not in shown
    (kept,) = store.forecasts("web", FIRST, DAY)
    assert round(kept.coming[0].events) == shown["expected_events"]

    keep_forecast(store, "web", station.work.calendar, policy_of(), now_after(DAY - timedelta(days=4)))
    again = dg.materialize([station.definitions.resolve_assets_def(KEY)], instance=instance, selection=[KEY])
    assert again.success
    shown = metadata_of(instance)
    assert (shown["is_new_revision"], shown["scored_days"], len(shown["by_days_ahead"].records)) == (False, 4, 4)
    assert 0 <= shown["error_percent"] < 100
    store.close()


def test_too_short_a_history_is_shown_as_such_and_fails_nothing(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    station = make_station(tmp_path, extra="last_day = 2026-02-03")
    assert station.run(instance, FIRST_DAY).success
    shown = metadata_of(instance)
    assert (shown["known_from"], shown["is_new_revision"]) == ("2026-03-03", False)
    assert "coming" not in shown


def test_a_share_that_is_not_known_is_not_plotted_as_zero() -> None:
    without_events = ForecastScore(90.0, Score(2, 2, 0, 0.0), {1: Score(2, 2, 0, 0.0)})
    shown = forecast_metadata(make_forecast(), without_events, is_new=True)
    assert (shown["scored_days"], shown["coverage_percent"], "error_percent" in shown) == (2, 100, False)
    made = Forecast("web", DAY, NOW, "1", 90.0, (), known_from=DAY)
    assert set(forecast_metadata(made, None, is_new=False)) == {
        "made_on",
        "model_version",
        "is_new_revision",
        "known_from",
    }


def test_with_conditions_the_forecast_follows_any_snapshot(tmp_path: Path) -> None:
    definitions = build_definitions(make_station(tmp_path).settings, automation="conditions")
    (spec,) = (spec for spec in definitions.resolve_all_asset_specs() if spec.key == KEY)
    assert spec.automation_condition is not None
    assert spec.automation_condition.get_label() == "a snapshot was made"
