"""Installed in every process that is to be killed.

Adds a second channel, a webhook, so that two channels are dispatched; says when the process is at work; and kills the
process at a step, if asked to.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from telemetry_quality.core import dispatch
from telemetry_quality.core.dispatch import Channel

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry_quality.core.alerts import Alert

WEBHOOK, LEASE_SECONDS, MARKER, DIE_AT = "KILL_WEBHOOK", "KILL_LEASE_SECONDS", "KILL_MARKER", "KILL_DIE_AT"
"""Environment variables: the webhook's URL, how long claims hold, the file that says "at work", and where to die."""


def install() -> None:
    """Do what the environment asks for."""
    dispatch.LEASE = timedelta(seconds=float(os.environ.get(LEASE_SECONDS, dispatch.LEASE.total_seconds())))
    if url := os.environ.get(WEBHOOK):
        _add_webhook(url)
    if marker := os.environ.get(MARKER):
        _call_before("telemetry_quality.storage.store:SqlQualityStore.__init__", Path(marker).touch)
    if point := os.environ.get(DIE_AT):
        die_at(point)


def post(url: str, alert: Alert) -> None:
    """Send an alert to a webhook, with its key."""
    with urlopen(Request(url, alert.line().encode(), {"Idempotency-Key": alert.key}), timeout=20):
        pass


def _add_webhook(url: str) -> None:
    webhook = Channel("webhook", lambda alert: post(url, alert))
    pending, everything = dispatch.dispatch_pending, dispatch.dispatch_all

    def also_pending(store: Any, sources: Any, channel: Channel, *more: Any) -> int:
        sent = pending(store, sources, channel, *more)
        if channel.name == "log":
            pending(store, sources, webhook, *more)
        return sent

    def also_everything(store: Any, sources: Any, channel: Channel, *more: Any) -> int:
        sent = everything(store, sources, channel, *more)
        everything(store, sources, webhook, *more)
        return sent

    vars(dispatch).update(dispatch_pending=also_pending, dispatch_all=also_everything)


def die_at(point: str) -> None:
    """Kill this process ``before`` or ``after`` the nth call of a function: ``module:Class.name before 2``."""
    place, when, number = point.split()
    left = [int(number)]

    def die() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    (_call_before if when == "before" else _call_after)(place, die)


def _call_before(place: str, act: Callable[[], None]) -> None:
    _wrap(place, act, is_before=True)


def _call_after(place: str, act: Callable[[], None]) -> None:
    _wrap(place, act, is_before=False)


def _wrap(place: str, act: Callable[[], None], *, is_before: bool) -> None:
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    function = getattr(owner, name)

    @wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if is_before:
            act()
        result = function(*arguments, **named)
        if not is_before:
            act()
        return result

    setattr(owner, name, wrapped)
