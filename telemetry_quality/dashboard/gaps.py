"""Which days of a source the state lacks, with the patience of the dashboard's pages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from telemetry_quality.core.days import latest_complete_day
from telemetry_quality.core.gaps import find_gaps

if TYPE_CHECKING:
    from datetime import datetime

    from telemetry_quality.core.gaps import Gaps
    from telemetry_quality.dashboard.state import DashboardState
    from telemetry_quality.settings import Settings


def gaps_in(state: DashboardState, settings: Settings, name: str, now: datetime) -> Gaps:
    """The gaps of a source of the settings; found again only if its days change, or another day is due."""
    source = settings.sources[name]
    calendar = source.calendar()
    patience = timedelta(minutes=source.allowed_lateness_minutes + settings.dashboard.grace_minutes)
    key = ("gaps", latest_complete_day(now, calendar.zone), calendar.latest_day(now - patience))
    return state.cached(name, key, lambda: find_gaps(name, calendar, state.index.days(name), now, patience))
