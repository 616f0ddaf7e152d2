"""Assembles the parts: makes sources, the store and the daily work from the settings.

The command line, Dagster and processes that use the library all get their parts here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from telemetry_quality.connectors import Opening, connector
from telemetry_quality.core.daily import DailyWork
from telemetry_quality.core.gaps import find_gaps
from telemetry_quality.core.gauges import WatchedSource, samples_of
from telemetry_quality.core.health import TelemetryHealthService
from telemetry_quality.core.incidents import incidents_of
from telemetry_quality.core.messages.delivery import MessageChannel, deliver
from telemetry_quality.core.messages.wording import Surroundings
from telemetry_quality.core.running.looking import RunningWork
from telemetry_quality.core.running.report import RunningDay
from telemetry_quality.core.signals import SignalCatalogue
from telemetry_quality.datasets import Dataset
from telemetry_quality.errors import RequestError, SettingsError, StoreError
from telemetry_quality.heartbeat import Heartbeat
from telemetry_quality.monitoring.lineage import Lineage
from telemetry_quality.monitoring.otlp import OtlpCollector

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from telemetry_quality.core.gaps import Gaps
    from telemetry_quality.core.messages.delivery import Delivered
    from telemetry_quality.core.messages.model import Message
    from telemetry_quality.core.ports import MessageStore, QualityStore
    from telemetry_quality.reports.model import Report
    from telemetry_quality.settings import Settings, SourceSettings
    from telemetry_quality.sources.sql_source import SqlSource
    from telemetry_quality.storage.store import SqlQualityStore

# Engines and databases are imported where needed, because a code location must load fast.

REPORT_DAYS = 30
"""The days of a report, unless somebody asks for others."""


def utc_now() -> datetime:
    """The current time; the only place where the clock is read."""
    return datetime.now(UTC)


def open_source(name: str, settings: SourceSettings) -> SqlSource[Any]:
    """The source, as opened by its connector; nothing is read yet.

    Raises:
        SettingsError: If another package's connector fails to load or does not open a source.
        SourceError: If its URL is wrong.
    """
    from telemetry_quality.sources.sql_source import SqlSource  # noqa: PLC0415

    opening = Opening(
        settings.event_schema(),
        ZoneInfo(settings.time_zone),
        SignalCatalogue(**settings.signals.model_dump()) if settings.signals else None,
        settings.time_limit_seconds,
        settings.memory_limit_bytes,
        salt=name,
    )
    try:
        source = connector(settings.connector).open(settings.connector_settings, opening)
    except ImportError as error:
        raise SettingsError(
            f"The connector {settings.connector!r} must find its imports, but opening it failed with {error}; "
            "install the packages that its documentation names."
        ) from None
    if not isinstance(source, SqlSource):
        raise SettingsError(
            f"The connector {settings.connector!r} must open a {SqlSource.__module__}.SqlSource, "
            f"but opens a {type(source).__name__}; repair or uninstall its package."
        )
    return source


def open_store(settings: Settings) -> SqlQualityStore:
    """The quality store; whether it exists and is up to date is checked at first use.

    Raises:
        StoreError: If its URL is wrong.
    """
    from telemetry_quality.storage.store import SqlQualityStore  # noqa: PLC0415

    return SqlQualityStore(settings.store)


def daily_work(settings: Settings, name: str) -> DailyWork:
    """The daily work of the source called ``name``."""
    source = settings.sources[name]
    return DailyWork(
        name, open_source(name, source), open_store(settings), source.calendar(), source.policy(), source.gate
    )


def running_work(settings: Settings, name: str) -> RunningWork:
    """The work on the running day of the source called ``name``."""
    its = settings.sources[name]
    return RunningWork(
        daily_work(settings, name),
        timedelta(minutes=its.allowed_lateness_minutes),
        timedelta(minutes=its.intraday_minutes),
    )


def look_at(settings: Settings, name: str, now: datetime) -> RunningDay:
    """Look at the running day of a source; returns what is known of it.

    Raises:
        StoreError: If the store fails.
    """
    work = running_work(settings, name)
    look = work.look(now)
    return RunningDay(name, look.day, work.daily.calendar, look.hours)


def running_sources(settings: Settings, source: str | None = None) -> list[str]:
    """The sources whose running day is looked at, or the one of them that somebody names.

    Raises:
        SettingsError: If there is none, or the named one is not one of them.
    """
    found = [name for name in settings.names(source) if settings.sources[name].intraday]
    if not found:
        which = "A source" if source is None else f"The source {source}"
        raise SettingsError(
            f"{which} must have intraday = true to be looked at while its day runs, but has not; "
            "add it under [sources.NAME] in the settings."
        )
    return found


def gaps_of(settings: Settings, store: QualityStore, source: str, now: datetime) -> Gaps:
    """Which days of a source the store lacks at ``now``.

    Raises:
        StoreError: If the store cannot be read.
    """
    its = settings.sources[source]
    judged = {judged.day for judged in store.judged_days(source)}
    return find_gaps(source, its.calendar(), judged, now, timedelta(minutes=its.allowed_lateness_minutes))


def keep_anchor(settings: Settings, now: datetime) -> str | None:
    """Keep the store's anchor where the settings say, after a run; a sentence if that failed.

    A run whose days are stored does not fail for it, so the caller has to show the sentence.
    """
    from telemetry_quality.storage import kept_anchors  # noqa: PLC0415

    if settings.anchor is None:
        return None
    try:
        kept_anchors.keep_anchor(open_store(settings).anchor(), settings.anchor, now)
    except StoreError as error:
        return str(error)
    return None


def heartbeat(settings: Settings, source: str) -> Heartbeat:
    """The heartbeat of a source; silent unless the settings have a URL."""
    return Heartbeat(source, settings.heartbeat.url, settings.heartbeat.timeout_seconds)


def watched_sources(settings: Settings, store: QualityStore, now: datetime) -> Iterator[WatchedSource]:
    """What the store holds about each source of the settings, with the patience of the dashboard's pages.

    Raises:
        StoreError: If the store cannot be read.
    """
    for name, source in settings.sources.items():
        calendar, judged = source.calendar(), store.judged_days(name)
        patience = timedelta(minutes=source.allowed_lateness_minutes + settings.dashboard.grace_minutes)
        gaps = find_gaps(name, calendar, {day.day for day in judged}, now, patience)
        newest = None if gaps.newest is None else store.snapshots(name, gaps.newest, gaps.newest)[0]
        # A healthy day has closed whatever was open before it.
        healthy = max((day.day for day in judged if day.is_healthy), default=None)
        yield WatchedSource(calendar, gaps, newest, incidents_of(store, name, healthy))


def push_metrics(settings: Settings, now: datetime) -> str | None:
    """Push the metrics of all sources where the settings say; a sentence if that failed."""
    otlp = settings.otlp
    if otlp.endpoint is None:
        return None
    store = open_store(settings)
    try:
        samples = list(samples_of(watched_sources(settings, store, now), now))
    except StoreError as error:
        return f"The metrics could not be pushed: {error}"
    finally:
        store.close()
    return OtlpCollector(otlp.endpoint, otlp.headers, otlp.timeout_seconds).push(samples, now)


def lineage(settings: Settings, source: str, clock: Callable[[], datetime] = utc_now) -> Lineage:
    """The lineage of a source; silent unless the settings have a namespace."""
    its = settings.sources[source]
    return Lineage(
        source,
        settings.openlineage.namespace,
        its.connector_settings.dataset or Dataset("telemetry_quality", source),
        its.event_schema(),
        its.calendar(),
        clock,
        settings.openlineage.timeout_seconds,
    )


def message_channels(settings: Settings) -> list[MessageChannel]:
    """The channels of ``[alerts]`` that messages about incidents go out by."""
    return [message_channel(settings, name) for name in settings.alerts]


def message_channel(settings: Settings, name: str) -> MessageChannel:
    """The channel called ``name``.

    Raises:
        SettingsError: If there is no such channel.
    """
    from telemetry_quality.notifications.process import send_in_process  # noqa: PLC0415

    if name not in settings.alerts:
        known = ", ".join(settings.alerts) or "none, because the settings have no [alerts.NAME]"
        raise SettingsError(f"A channel of the settings is required ({known}), but {name!r} was found.")
    chosen = settings.alerts[name]

    def send(message: Message) -> None:
        send_in_process(chosen.kind, chosen.channel_settings, message, chosen.timeout_seconds)

    heard = settings.sources_heard_by(name)
    return MessageChannel(name, heard, chosen.rules(), send, partial(_report_of, settings, heard))


def _report_of(settings: Settings, sources: Collection[str], now: datetime) -> str | None:
    """The report that goes with a digest, which goes without if it cannot be made."""
    store = open_store(settings)
    try:
        return make_report(settings, store, sources, REPORT_DAYS, now)[0]
    except (RequestError, StoreError):
        return None
    finally:
        store.close()


def make_report(
    settings: Settings, store: QualityStore, sources: Collection[str], last: int, now: datetime
) -> tuple[str, Report]:
    """The report about the ``last`` days of some sources, as HTML and as what it was written from.

    Raises:
        RequestError: If the package that writes reports is not installed.
        StoreError: If the store cannot be read.
    """
    from telemetry_quality.reports.gathering import Subject, gather  # noqa: PLC0415 - few processes make reports
    from telemetry_quality.reports.writing import write  # noqa: PLC0415

    chosen = {name: settings.sources[name] for name in sources}
    subjects = [
        Subject(name, settings.title_of(name), its.owners, its.calendar(), its.policy(), its.gate)
        for name, its in chosen.items()
    ]
    found = gather(store, subjects, last, now, shared_address(settings))
    return write(found), found


def shared_address(settings: Settings) -> str | None:
    """The dashboard's address; None if it is this machine's own, because nobody else could follow a link to it."""
    return None if settings.dashboard.is_loopback else settings.dashboard.url


def surroundings(settings: Settings) -> Surroundings:
    """What messages say apart from incidents."""
    return Surroundings(shared_address(settings), {name: source.owners for name, source in settings.sources.items()})


def deliver_messages(
    settings: Settings, store: MessageStore, clock: Callable[[], datetime], *, is_hurried: bool = False
) -> Delivered:
    """Send the messages that are due on all channels of the settings."""
    return deliver(store, message_channels(settings), surroundings(settings), clock, is_hurried=is_hurried)


def health_service(settings: Settings, source: str | None = None) -> TelemetryHealthService:
    """The health service of a source, whose name is required if there are several.

    Raises:
        SettingsError: If there is no such source.
    """
    name, _ = settings.source(source)
    return TelemetryHealthService(daily_work(settings, name), utc_now)
