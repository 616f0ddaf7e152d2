"""Progress of long work, and the time it has left: for a bar, a line in a file, and Dagster's log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Pace:
    """Counts what is done and how fast.

    Attributes:
        total: How many there are to do.
        seconds: A monotonic clock; read at creation and whenever the speed is computed.
        what: What is counted: days, or evaluations.
    """

    total: int
    seconds: Callable[[], float] = field(repr=False)
    what: str = "days"
    done: int = 0
    events: int = 0

    def __post_init__(self) -> None:
        self._start = self.seconds()

    def advance(self, done: int = 1, events: int = 0) -> None:
        """Count ``done`` more, and the ``events`` that were read for them."""
        self.done += done
        self.events += events

    def sentence(self) -> str:
        """``31 of 365 days, 3,100,000 events, 81,578 events/s, 6:40 left``, without what is not known yet."""
        parts = [f"{self.done:,} of {self.total:,} {self.what}"]
        if self.events:
            parts.append(f"{self.events:,} events")
        parts += [text for text in (self.rate(), self.time_left()) if text]
        return ", ".join(parts)

    def rate(self) -> str:
        """Events per second if events are read, or else what is counted per second; empty at the start."""
        elapsed = self.seconds() - self._start
        if not self.done or elapsed <= 0:
            return ""
        if self.events:
            return f"{self.events / elapsed:,.0f} events/s"
        return f"{self.done / elapsed:,.1f} {self.what}/s"

    def time_left(self) -> str:
        """The time that the rest takes at the speed so far; empty at the start and at the end."""
        elapsed = self.seconds() - self._start
        if not self.done or elapsed <= 0 or self.done >= self.total:
            return ""
        left = round(elapsed / self.done * (self.total - self.done))
        hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
        return f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"
