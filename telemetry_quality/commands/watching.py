"""Watching: whether days are still being judged, and commands that show again what has changed until Ctrl-C."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from time import sleep
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from telemetry_quality.assembly import gaps_of, open_store, utc_now
from telemetry_quality.commands.options import print_json
from telemetry_quality.console import write
from telemetry_quality.core.watching import WatchState, watch
from telemetry_quality.errors import TelemetryQualityError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.watching import Watch
    from telemetry_quality.settings import Settings

WATCH_SECONDS = 10
"""How often ``health --watch`` asks the store."""

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """``90m``, ``26h`` or ``2d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([1-9]\d{0,5})([mhd])", value)
        if found is None:
            self.fail(f"a duration such as 90m, 26h or 2d is required, but {value!r} was given", param, ctx)
        return int(found[1]) * UNITS[found[2]]


DURATION = _Duration()


def report_age(config: str | None, source: str | None, max_age: timedelta, *, as_json: bool) -> int:
    """Say in a line whether days are still being judged; returns the exit code of a monitoring plugin."""
    try:
        found = _watches(load_settings(config), source, max_age)
    except TelemetryQualityError as error:
        return _report(WatchState.UNKNOWN, str(error), [], as_json=as_json)
    state = max(watched.state for watched in found)
    return _report(state, " ".join(watched.sentence for watched in found), found, as_json=as_json)


def _watches(settings: Settings, source: str | None, max_age: timedelta) -> list[Watch]:
    store, now = open_store(settings), utc_now()
    found = []
    for name in settings.names(source):
        gaps = gaps_of(settings, store, name, now)
        newest = store.snapshots(name, gaps.newest, gaps.newest) if gaps.newest else []
        reason = newest[0].unreadable_reason_code if newest else None
        found.append(watch(gaps, settings.sources[name].calendar(), now, max_age, reason))
    return found


def _report(state: WatchState, sentence: str, found: list[Watch], *, as_json: bool) -> int:
    if as_json:
        sources = [watched.as_json() for watched in found]
        print_json({"state": state.name, "sentence": sentence, "sources": sources})
    else:
        write(f"{state.name} - {sentence}")
    return state.value


class _Shown(Protocol):
    """What a watching command shows."""

    def as_json(self) -> dict[str, Any]: ...


T = TypeVar("T", bound=_Shown)


def show_changes(look: Callable[[], T], show: Callable[[T], int]) -> int:
    """Show what is found whenever it differs from what was shown, until Ctrl-C; returns the last exit code."""
    shown, code = None, 0
    try:
        while True:
            found = look()
            if found.as_json() != shown:
                if sys.stdout.isatty():
                    click.clear()
                shown, code = found.as_json(), show(found)
                sys.stdout.flush()
            sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return code
