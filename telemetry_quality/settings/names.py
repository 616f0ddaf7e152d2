"""The names that users give to sources and channels, and what stands for them where hyphens are not allowed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = r"[a-z][a-z0-9_-]*"


def plain_name(name: str) -> str:
    """The name in an environment variable, or of a job in Dagster: with underscores instead of hyphens."""
    return name.replace("-", "_")


def require_names(names: Iterable[str]) -> None:
    """Raise ValueError unless all are names, and differ by more than hyphens."""
    known: dict[str, str] = {}
    for name in names:
        if not re.fullmatch(NAME, name, re.ASCII):
            raise ValueError(f"names must be lower-case words such as web_events or web-events, but {name!r} was found")
        if (other := known.setdefault(plain_name(name), name)) != name:
            raise ValueError(
                f"names must differ by more than hyphens and underscores, but {other!r} and {name!r} were found; "
                "rename one"
            )
