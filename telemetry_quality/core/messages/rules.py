"""Rules: what a channel wants to hear, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from telemetry_quality.core.guardrails.verdicts import Level

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

WEEKLY_AT = time(8)
"""When the digest of a week is due on Monday, by the channel's clock."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of every day in which messages wait, by the channel's clock; they may span midnight."""

    begin: time
    end: time

    def hold(self, moment: time) -> bool:
        """Whether messages wait at this time of the day; at ``end`` they go out."""
        if self.begin <= self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end


@dataclass(frozen=True, slots=True)
class Rules:
    """What a channel wants to hear, and when.

    Attributes:
        zone: Of its quiet hours and its week.
        minimum_level: Incidents below this level are not for it.
        wakes_for_critical: Whether an incident that opens or worsens as CRITICAL ignores the quiet hours.
        repeat_days: After how many days an open incident that nobody has is mentioned again; None for never.
        is_weekly: Whether it wants a digest of each week instead of messages.
    """

    zone: ZoneInfo
    minimum_level: Level = Level.INFO
    quiet_hours: QuietHours | None = None
    wakes_for_critical: bool = False
    repeat_days: int | None = None
    is_weekly: bool = False

    def is_quiet(self, now: datetime) -> bool:
        """Whether messages wait at ``now``."""
        return self.quiet_hours is not None and self.quiet_hours.hold(now.astimezone(self.zone).time())

    def week_begins(self, now: datetime) -> datetime:
        """The latest moment at which the digest of a week was due: Monday at WEEKLY_AT, by the channel's clock."""
        here = now.astimezone(self.zone)
        monday = here.date() - timedelta(days=here.weekday())
        due = datetime.combine(monday, WEEKLY_AT, self.zone)
        return due if due <= here else datetime.combine(monday - timedelta(days=7), WEEKLY_AT, self.zone)
