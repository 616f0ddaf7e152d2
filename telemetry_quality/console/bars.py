"""Progress bars, and lines of progress where no bar can be shown."""

from __future__ import annotations

from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from telemetry_quality.console.lines import screen, screen_width, write
from telemetry_quality.console.listing import TABLES_FROM
from telemetry_quality.core.progress import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

LINE_SECONDS = 10
"""How often a line of progress is written to a file or a mail, which cannot show a bar."""


class Advance(Protocol):
    """A function that advances the progress."""

    def __call__(self, steps: int, events: int = 0, /) -> None:
        """Report that ``steps`` more steps are done, for which ``events`` events were read."""
        ...


@contextmanager
def progress(what: str, total: int, *, is_shown: bool, unit: str = "days") -> Iterator[Advance]:
    """Show progress on standard error, as a bar or as lines now and then; yields the function that advances it."""
    pace = Pace(total, monotonic, unit)
    if not is_shown:
        yield pace.advance
        return
    is_terminal = screen_width(stderr=True) is not None
    with _bar(screen(stderr=True), what, pace) if is_terminal else _lines(what, pace) as advance:
        yield advance


@contextmanager
def _lines(what: str, pace: Pace) -> Iterator[Advance]:
    said_at = monotonic()

    def say() -> None:
        write(f"{what}: {pace.sentence()}", stderr=True)

    def advance(steps: int, events: int = 0) -> None:
        nonlocal said_at
        pace.advance(steps, events)
        if monotonic() - said_at >= LINE_SECONDS and pace.done < pace.total:
            said_at = monotonic()
            say()

    yield advance
    say()


@contextmanager
def _bar(out: Console, what: str, pace: Pace) -> Iterator[Advance]:
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    # Without the bar, the numbers of the longest line fit into 80 columns.
    columns = (
        TextColumn("{task.description}"),
        *((BarColumn(),) if out.width >= TABLES_FROM else ()),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out) as bar:
        task = bar.add_task(what, total=pace.total, speed="")

        def advance(steps: int, events: int = 0) -> None:
            pace.advance(steps, events)
            read = f"{pace.events:,} events, " if pace.events else ""
            bar.update(task, advance=steps, speed=read + pace.rate())

        yield advance
