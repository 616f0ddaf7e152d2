"""A post office for tests: a store of judged days, a clock that is set by hand, and a receiver that may be away."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Contributor, Level, Outcome, Segment, Verdict
from telemetry_quality.core.incidents import Action, incidents_of
from telemetry_quality.core.messages.delivery import Delivered, MessageChannel, deliver
from telemetry_quality.core.messages.rules import Rules
from telemetry_quality.core.messages.wording import Surroundings
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.core.snapshots import take_snapshot
from telemetry_quality.errors import DeliveryError
from telemetry_quality_tests.builders import make_figures, make_store
from telemetry_quality_tests.storage.examples import make_running_hour

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry_quality.core.incidents import Incident
    from telemetry_quality.core.messages.model import Message

MORNING = datetime(2026, 3, 11, 6, tzinfo=UTC)
YESTERDAY = date(2026, 3, 10)
DASHBOARD = "https://telemetry.example.org"
UTC_ZONE = ZoneInfo("UTC")
GATHERED = timedelta(minutes=3)
"""Long enough after a judgement for its message to go out."""

IOS = Contributor(Segment((("platform", "ios"),), hours=(14, 17)), 10, 200, 98.0)
ANDROID = Contributor(Segment((("platform", "android"),)), 10, 200, 98.0)


def failed(
    guardrail: str = "error_rate",
    level: Level = Level.CRITICAL,
    *contributors: Contributor,
    reason_code: str = "ERROR_RATE_HIGH",
) -> Verdict:
    sentence = f"20.00 % of 1,000 events make {guardrail} fail, more than the 5 % allowed."
    return Verdict(guardrail, level, Outcome.FAILED, reason_code, 20.0, 5.0, sentence, contributors)


WARNING = failed("missing_version", Level.WARNING)


class PostOffice:
    """Days in a store, and what a channel receives about them.

    Attributes:
        now: The time; move it by hand.
        received: The messages that the receiver accepted.
        is_down: Whether the receiver refuses what it is sent.
    """

    def __init__(self, folder: Path, **rules: Any) -> None:
        self.store = make_store(folder)
        self.now = MORNING
        self.received: list[Message] = []
        self.is_down = False
        self.tried = 0
        self.surroundings = Surroundings(DASHBOARD, {"web": ("team:web",)})
        self.channel = self.make_channel(**rules)

    def make_channel(
        self, name: str = "team", sources: tuple[str, ...] = ("web", "app"), **rules: Any
    ) -> MessageChannel:
        return MessageChannel(name, sources, Rules(**{"zone": UTC_ZONE, **rules}), self._receive)

    def _receive(self, message: Message) -> None:
        self.tried += 1
        if self.is_down:
            raise DeliveryError("RECEIVER_UNREACHABLE", "The receiver could not be reached.")
        self.received.append(message)

    def judge(
        self, day: date, *verdicts: Verdict, source: str = "web", is_unreadable: bool = False, **figures: Any
    ) -> None:
        """Store a snapshot of a day with ``verdicts``; all other guardrails passed."""
        given = {verdict.guardrail: verdict for verdict in verdicts}
        names = dict.fromkeys(("activity", "error_rate", "missing_version", "volume", *given))
        passed = (Verdict(name, Level.INFO, Outcome.PASSED, "OK", 0.0, 5.0, "All is well.") for name in names)
        complete = [given.get(verdict.guardrail, verdict) for verdict in passed]
        numbers = make_figures(**figures)
        if is_unreadable:
            numbers = DayFigures(unreadable_reason_code="FILE_BROKEN", unreadable_reason="Half a file.")
            complete = [
                Verdict(name, Level.CRITICAL, Outcome.UNKNOWN, DAY_UNREADABLE, None, None, "Half a file.")
                for name in names
            ]
        snapshot = take_snapshot(
            source=source,
            day=day,
            figures=numbers,
            verdicts=complete,
            policy=policy_of(),
            scan_revision=1,
            scan_hash="0" * 64,
            now=self.now,
        )
        self.store.append_snapshot(snapshot, complete)

    def look(self, day: date, *verdicts: Verdict, hour: int = 10) -> None:
        """Store an hour of a running day, at whose end these failed."""
        self.store.append_running_hours([make_running_hour(day=day, hour=hour, verdicts=verdicts, looked_at=self.now)])

    def decide(self, action: Action, day: date = YESTERDAY, source: str = "web", **more: Any) -> None:
        """Record a decision about the only incident of a day."""
        (incident,) = self.incidents(day, source)
        self.store.append_incident_action(incident.decide(action, "ada", self.now, **more))

    def incidents(self, day: date = YESTERDAY, source: str = "web") -> list[Incident]:
        return incidents_of(self.store, source, day, day)

    def deliver(self, after: timedelta = GATHERED, *channels: MessageChannel) -> list[Message]:
        """Move the clock and deliver; returns the messages that arrived."""
        self.now += after
        before = len(self.received)
        self.round(*channels)
        return self.received[before:]

    def round(self, *channels: MessageChannel, is_hurried: bool = False) -> Delivered:
        now = lambda: self.now  # noqa: E731 - the clock is moved while messages are sent
        return deliver(self.store, channels or [self.channel], self.surroundings, now, is_hurried=is_hurried)

    def kinds(self, after: timedelta = GATHERED, *channels: MessageChannel) -> list[str]:
        """Move the clock and deliver; returns the kinds of the messages that arrived."""
        return [message.kind.value for message in self.deliver(after, *channels)]

    def log(self, channel: str = "team") -> list[tuple[str, str, int]]:
        """Kind, outcome and attempt of every row of the log, oldest first."""
        rows = self.store.deliveries(channel, self.now)
        return [(row.kind.value, row.outcome.value, row.attempt) for row in rows]
