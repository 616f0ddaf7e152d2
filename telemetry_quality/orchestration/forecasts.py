"""The asset ``expected_volume``: the events to expect on the coming days, and how right earlier forecasts were."""

# Dagster resolves the annotations of what it decorates: no postponed ones, no imports for type checkers only.
from typing import Any

import dagster as dg

from telemetry_quality.core.forecasts.making import keep_forecast
from telemetry_quality.core.forecasts.model import Forecast
from telemetry_quality.core.forecasts.scoring import ForecastScore, Score, stored_score
from telemetry_quality.orchestration.names import SourceNames
from telemetry_quality.orchestration.resources import telemetry_of
from telemetry_quality.settings import SourceSettings

COLUMN_SCHEMA = dg.TableSchema(
    columns=[
        dg.TableColumn("day", "date", "the latest complete day when the forecast was made"),
        dg.TableColumn("revision", "int", "grows by one whenever the forecast of that day changes"),
        dg.TableColumn("made_at", "timestamp"),
        dg.TableColumn("model_version", "string", "what made it"),
        dg.TableColumn("interval_percent", "float", "how many days should lie within their interval"),
        dg.TableColumn("coming", "json", "events, low and high per day, and per hour of each"),
    ]
)


def build_forecast_asset(names: SourceNames, settings: SourceSettings, store_engine: str) -> dg.AssetsDefinition:
    """The expected volume of a source, which each run of a day's snapshot refreshes."""

    @dg.asset(
        key=names.expected_volume,
        deps=[names.snapshot],
        group_name=names.group,
        owners=list(settings.owners),
        kinds={store_engine},
        description="The events to expect on each of the next 14 days, with an interval. Append-only.",
        metadata={"dagster/column_schema": COLUMN_SCHEMA, "dagster/table_name": "forecast"},
        required_resource_keys={names.resource},
    )
    def expected_volume(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        telemetry = telemetry_of(context, names.resource)
        work, now = telemetry.work(names.source), telemetry.clock()
        known = (work.store, work.name, work.calendar, work.policy, now)
        made, is_new = keep_forecast(*known)
        return dg.MaterializeResult(metadata=forecast_metadata(made, stored_score(*known), is_new=is_new))

    return expected_volume


def forecast_metadata(made: Forecast, scored: ForecastScore | None, *, is_new: bool) -> dict[str, Any]:
    """The coming days as a small table, and the numbers of earlier forecasts to plot."""
    facts = {"made_on": str(made.day), "model_version": made.model_version, "is_new_revision": is_new}
    if not made.coming:
        return {**facts, "known_from": str(made.known_from), **_score_metadata(scored)}
    records = [
        dg.TableRecord(
            {
                "day": f"{coming.day:%Y-%m-%d %a}",
                "events": round(coming.events),
                "low": round(coming.low),
                "high": round(coming.high),
                "why": coming.why or "",
            }
        )
        for coming in made.coming
    ]
    return {
        **facts,
        "revision": str(made.revision),
        "interval_percent": f"{made.interval_percent:g}",
        "expected_events": round(made.coming[0].events),
        "coming": dg.MetadataValue.table(records),
        **_score_metadata(scored),
    }


def _score_metadata(scored: ForecastScore | None) -> dict[str, Any]:
    """Nothing where nothing was scored: a missing number must not be plotted as zero."""
    if scored is None:
        return {}
    by_days_ahead = [
        dg.TableRecord({"days_ahead": ahead, **_rounded(found)}) for ahead, found in scored.by_days_ahead.items()
    ]
    numbers = {"scored_days" if name == "days" else name: value for name, value in _rounded(scored.total).items()}
    return {
        **{name: value for name, value in numbers.items() if value is not None},
        "by_days_ahead": dg.MetadataValue.table(by_days_ahead),
    }


def _rounded(found: Score) -> dict[str, Any]:
    return {name: None if value is None else round(value, 2) for name, value in found.as_json().items()}
