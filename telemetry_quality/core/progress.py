"""How far a long piece of work is, and when it will be over: for a bar, a line in a file, and Dagster's log."""

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
        seconds: A clock that only goes on; asked when this is made, and whenever it is asked how fast it goes.
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
        """So many more are done, and so many events were read for them."""
        self.done += done
        self.events += events

    def sentence(self) -> str:
        """``31 of 365 days, 3,100,000 events, 81,578 events/s, 6:40 left``; what is not known yet is left out."""
        parts = [f"{self.done:,} of {self.total:,} {self.what}"]
        if self.events:
            parts.append(f"{self.events:,} events")
        parts += [text for text in (self.rate(), self.time_left()) if text]
        return ", ".join(parts)

    def rate(self) -> str:
        """Events a second where events are read, else what is counted; nothing before there is any."""
        elapsed = self.seconds() - self._start
        if not self.done or elapsed <= 0:
            return ""
        if self.events:
            return f"{self.events / elapsed:,.0f} events/s"
        return f"{self.done / elapsed:,.1f} {self.what}/s"

    def time_left(self) -> str:
        """As long as the rest takes at the speed so far; nothing at the start and at the end."""
        elapsed = self.seconds() - self._start
        if not self.done or elapsed <= 0 or self.done >= self.total:
            return ""
        left = round(elapsed / self.done * (self.total - self.done))
        hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
        return f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left"
