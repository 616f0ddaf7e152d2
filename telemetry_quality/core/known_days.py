"""Known days: what the store knew of judged days at one instant, and the columns in which other programs get it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from telemetry_quality.core.marks import Gate, Mark, is_trustworthy
from telemetry_quality.core.metrics import METRICS
from telemetry_quality.core.snapshots import DayStatus, TelemetryIntegritySnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telemetry_quality.core.marks import MarkedDays

MARKED_BAD = "mark:BAD"
"""Why a day cannot be trusted whatever the guardrails say."""
PROVISIONAL = "PROVISIONAL"
"""Late events may still change the day."""


@dataclass(frozen=True, slots=True)
class KnownDay:
    """A judged day as the store knew it at one instant.

    Attributes:
        snapshot: The newest revision by then.
        mark: What somebody had last said about the day by then.
        failed: Guardrail and reason code of each verdict that failed or could not read the day.
        accepted: The guardrails that pass only because somebody accepted their failure as intended.
        gate: Which days the source's settings let through.
    """

    snapshot: TelemetryIntegritySnapshot
    mark: MarkedDays | None = None
    failed: tuple[tuple[str, str], ...] = ()
    accepted: tuple[str, ...] = ()
    gate: Gate = Gate.HEALTHY

    @property
    def is_trusted(self) -> bool:
        """Whether the day can be trusted: a mark decides, otherwise the gate."""
        is_provisional = bool(self.snapshot.is_provisional)
        return is_trustworthy(self.mark, self.snapshot.status, self.gate, is_provisional=is_provisional)

    @property
    def is_accepted(self) -> bool:
        """Whether somebody accepted the day as it is, or a failure that one of its guardrails passes for."""
        is_marked = self.mark is not None and self.mark.mark is Mark.ACCEPTED
        return is_marked or bool(self.accepted)

    @property
    def why_not(self) -> str | None:
        """Why the day is not healthy, is provisional, or is marked as bad; None if nothing speaks against it."""
        is_bad = self.mark is not None and self.mark.mark is Mark.BAD
        unreadable = self.snapshot.unreadable_reason_code
        reasons = [f"{guardrail}:{code}" for guardrail, code in self.failed] if unreadable is None else [unreadable]
        return ", ".join([MARKED_BAD] * is_bad + reasons + [PROVISIONAL] * bool(self.snapshot.is_provisional)) or None


class Column(NamedTuple):
    """A column of a table of days.

    Attributes:
        kind: ``str``, ``int``, ``float``, ``bool``, ``date``, ``datetime``, ``dict`` or ``list`` (JSON) or DayStatus.
        description: One sentence, for the docs.
        of: The column's value in a row's day.
    """

    name: str
    kind: type
    description: str
    of: Callable[[Any], Any]


def _field(name: str, kind: type, description: str) -> Column:
    return Column(name, kind, description, attrgetter(f"snapshot.{name}"))


KEY_COLUMNS = (
    _field("source", str, "The source's name in the settings."),
    _field("day", date, "The day, in the source's time zone."),
    _field("revision", int, "Which revision of the day was the newest."),
    _field("computed_at", datetime, "When that revision was judged, in UTC."),
)
STATE_COLUMNS = (
    _field("status", DayStatus, "`healthy`, `degraded`, `unhealthy`, `no_activity` or `unknown`."),
    Column(
        "is_trusted",
        bool,
        "Whether the day can be trusted: a mark `bad` or `accepted` decides, otherwise the source's `gate`.",
        attrgetter("is_trusted"),
    ),
    Column(
        "is_accepted",
        bool,
        "Whether somebody accepted the day, or a failure that one of its guardrails passes for.",
        attrgetter("is_accepted"),
    ),
    Column(
        "mark",
        str,
        "What somebody said about the day: `bad`, `special` or `accepted`.",
        lambda day: day.mark.mark.value if day.mark is not None else None,
    ),
    Column(
        "why_not",
        str,
        "What speaks against the day: each failed guardrail with its reason code, the reason why it could not be read, "
        "`mark:BAD` or `PROVISIONAL`.",
        attrgetter("why_not"),
    ),
)
NUMBER_COLUMNS = (
    *(_field(metric.name, metric.kind, metric.description) for metric in METRICS),
    _field("extra_numbers", dict, "Numbers of the source's own rates and of other packages' guardrails."),
)
POLICY_COLUMN = Column("policy", str, "The thresholds in force.", attrgetter("snapshot.policy"))

DAY_COLUMNS = (*KEY_COLUMNS, *STATE_COLUMNS, *NUMBER_COLUMNS, POLICY_COLUMN)
"""The columns of a table of known days."""


def rows_of(columns: Iterable[Column], days: Iterable[Any]) -> list[tuple[Any, ...]]:
    """The values of the columns, a row per day."""
    values = [column.of for column in columns]
    return [tuple(value(day) for value in values) for day in days]
