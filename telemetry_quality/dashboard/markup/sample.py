"""The events of a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from telemetry_quality.dashboard.rendering import name

if TYPE_CHECKING:
    from collections.abc import Iterable


def event_list(ids: Iterable[str | None]) -> Markup:
    """The ids of events, separated by commas."""
    return Markup(", ").join(Markup(f"<code>{name(event_id)}</code>") for event_id in ids)  # noqa: S704 - escaped by name
