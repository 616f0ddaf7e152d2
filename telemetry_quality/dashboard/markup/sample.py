"""The events of a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from telemetry_quality.dashboard.rendering import name

if TYPE_CHECKING:
    from collections.abc import Iterable


def event_list(ids: Iterable[str | None]) -> Markup:
    """Ids of events, one after the other."""
    return Markup(", ").join(Markup(f"<code>{name(one)}</code>") for one in ids)  # noqa: S704 - escaped by name
