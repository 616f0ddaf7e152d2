"""One example of everything stored besides a day's numbers, with every optional field in use."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from telemetry_quality.core.alerts import Alert, alert_of
from telemetry_quality.core.events import Arrivals, DayScan, Duplicates, Slice, SliceCounts
from telemetry_quality.core.forecasts.model import MODEL_VERSION, DayForecast, Forecast
from telemetry_quality.core.guardrails.verdicts import Contributor, Level, Outcome, Segment, Verdict
from telemetry_quality.core.hours import ExpectedHour
from telemetry_quality.core.incidents import Action, IncidentAction, failures_of
from telemetry_quality.core.incidents.acceptance import accepted_failures
from telemetry_quality.core.marks import Mark, MarkedDays
from telemetry_quality.core.messages.model import Delivery, DeliveryOutcome, Mention, MessageKind
from telemetry_quality.core.running.model import HourCounts, RunningHour
from telemetry_quality.storage.engine import open_engine, transaction
from telemetry_quality.storage.staff.sign_ins import SignIn, SignInOutcome
from telemetry_quality_tests.builders import DAY, NOW, make_row, make_scan

SLICES = {
    Slice("event_name", "page.view"): SliceCounts(90, 3, 0),
    Slice("event_name", None): SliceCounts(10, 0, 10),
    Slice("service_version", ""): SliceCounts(100, 3, 2**40),
    Slice("platform", "it's “ios”"): SliceCounts(70, 1, 0),
    Slice("platform", None): SliceCounts(30, 2, 0),
    Slice("platform", "it's “ios”", "event_name", "page.view"): SliceCounts(60, 1, 0),
    Slice("platform", "it's “ios”", "event_name", None): SliceCounts(10, 0, 0),
    Slice("platform", None, "event_name", ""): SliceCounts(20, 2, 0),
    Slice("platform", None, "hour", "7"): SliceCounts(0, 0, 0),
}
DUPLICATES = Duplicates(100, 4)
ARRIVALS = Arrivals((90, 8, 0, 2), 110, 3, 2, 1)

CONTRIBUTORS = (
    Contributor(Segment((("platform", "ios"), ("event_name", None)), (7, 9)), 0.1 + 0.2, 12, 100 / 3, date(2026, 3, 8)),
    Contributor(Segment(), 1000, 0.0),
)
VERDICTS = (
    Verdict("volume", Level.INFO, Outcome.FAILED, "VOLUME_LOW", -100 / 3, 30, "It's “odd” 🛰️\n", CONTRIBUTORS),
    Verdict("sample", Level.WARNING, Outcome.UNKNOWN, "NO_EVENTS", None, None, ""),
    Verdict("activity", Level.CRITICAL, Outcome.PASSED, "ACTIVITY_SEEN", 12.0, 1.0, "Twelve events."),
)
ACCEPTED_FAILURES = accepted_failures(failures_of(DAY, 1, VERDICTS))


def make_full_scan(day: date = DAY, **overrides: Any) -> DayScan:
    """A scan with slices, duplicates and arrivals."""
    rows = (make_row(missing_critical=(1,)), make_row(hour=13, missing_critical=(0,)))
    plain = make_scan(day, *rows)
    aggregates = replace(plain.aggregates, critical_fields=("user_id",))
    parts: dict[str, Any] = {
        "aggregates": aggregates,
        "slices": SLICES,
        "duplicates": DUPLICATES,
        "arrivals": ARRIVALS,
    }
    return replace(plain, **(parts | overrides))


def make_alert(**overrides: Any) -> Alert:
    """The alert about the failed verdict of VERDICTS in the first revision of DAY."""
    return replace(alert_of("web", DAY, 1, VERDICTS[0]), **overrides)


def make_action(**overrides: Any) -> IncidentAction:
    """Somebody mutes an incident for a while."""
    action = IncidentAction(
        source="web",
        day=DAY,
        root_cause="platform=ios",
        action=Action.MUTE,
        by="ada@example.org",
        note="it's known; see “the plan”",
        until=date(2026, 4, 1),
        acted_at=datetime(2026, 3, 11, 8, 30, tzinfo=UTC),
    )
    return replace(action, **overrides)


def make_mark(**overrides: Any) -> MarkedDays:
    """Somebody says that a week was bad."""
    marked = MarkedDays(
        source="web",
        day=DAY,
        until=date(2026, 3, 16),
        mark=Mark.BAD,
        by="ada@example.org",
        note="it's known; see “the plan”",
        marked_at=datetime(2026, 3, 11, 8, 30, tzinfo=UTC),
    )
    return replace(marked, **overrides)


def make_delivery(**overrides: Any) -> Delivery:
    """A message about an incident is not accepted."""
    delivery = Delivery(
        channel="team",
        key="0" * 32,
        kind=MessageKind.OPENED,
        outcome=DeliveryOutcome.FAILED,
        attempt=1,
        at=NOW,
        title="CRITICAL: web fails since 2026-03-10",
        mentions=(Mention(("web/2026-03-10 “ios”",), "web", DAY, DAY, "platform=“ios”", Level.CRITICAL, is_open=True),),
        reason="No answer came.",
    )
    return replace(delivery, **overrides)


def make_running_hour(**overrides: Any) -> RunningHour:
    """Ten in the morning, with half the events and too many errors."""
    hour = RunningHour(
        source="web",
        day=DAY,
        hour=10,
        revision=1,
        looked_at=NOW,
        counts=HourCounts(1000, 120, 3, 2, {"checkout_failures": 7}, {"it's “page”": (900, 100), "login": (100, 20)}),
        expected=ExpectedHour(2000.5, 1800.25, 2200),
        verdicts=(VERDICTS[0],),
        later=(ExpectedHour(2100.5, 1900.0, 2300.25),),
    )
    return replace(hour, **overrides)


def make_forecast(**overrides: Any) -> Forecast:
    """A Wednesday like others and a holiday, the latter without its hours."""
    hours = tuple(ExpectedHour(41.5, 20.25, 70.0) for _ in range(24))
    forecast = Forecast(
        source="web",
        day=DAY,
        made_at=NOW,
        model_version=MODEL_VERSION,
        interval_percent=90.0,
        coming=(
            DayForecast(DAY + timedelta(days=1), 996.0, 801.5, 1200.0, None, hours),
            DayForecast(DAY + timedelta(days=2), 12.5, 0.0, 40.0, "St. “Patrick’s” Day"),
        ),
    )
    return replace(forecast, **overrides)


def make_sign_in(**overrides: Any) -> SignIn:
    """Ada mistypes her password."""
    attempt = SignIn(
        at=NOW,
        account_name="ada@example.org",
        address="192.0.2.7",
        method="password",
        outcome=SignInOutcome.WRONG_PASSWORD,
    )
    return replace(attempt, **overrides)


def run(url: str, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """Run a statement on a store, as somebody who writes SQL by hand would."""
    engine = open_engine(url)
    try:
        with transaction(engine, writes=True) as connection:
            found = connection.execute(text(statement), values)
            return [tuple(row) for row in found] if found.returns_rows else []
    finally:
        engine.dispose()
