"""The byte ranges of objects that this process fetched: kept in a temporary file, so that none is fetched twice."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from telemetry_quality.sources.scratch import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

MOST_BYTES = 2**30
"""How much of a disk the ranges of a source may take."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A range of an object, and where it is in the file."""

    key: tuple[str, str]
    start: int
    end: int
    offset: int

    @property
    def last_offset(self) -> int:
        return self.offset + self.end - self.start


@dataclass
class ObjectRanges:
    """What was fetched of the versions of objects; the oldest is overwritten when the file is full.

    A disk that is full, or a process that was forked, only means that ranges are fetched again.
    """

    most_bytes: int = MOST_BYTES
    _process: int = field(default_factory=os.getpid)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _file: IO[bytes] | None = None
    _position: int = 0
    _kept: deque[_Kept] = field(default_factory=deque)
    _of: dict[tuple[str, str], list[_Kept]] = field(default_factory=dict)

    def keep(self, path: str, tag: str, start: int, content: bytes) -> None:
        """Keep a range of the version ``tag`` of an object."""
        if not tag or not content or len(content) > self.most_bytes or os.getpid() != self._process:
            return
        with self._lock:
            try:
                self._write((path, tag), start, content)
            except OSError:
                self._forget_all()

    def find(self, path: str, tag: str, start: int, end: int) -> list[tuple[int, bytes]]:
        """The kept parts of ``start <= n < end`` in order, each with the place where it begins."""
        with self._lock:
            kept = sorted(self._of.get((path, tag), ()), key=lambda range_: range_.start)
            if not kept or self._file is None or os.getpid() != self._process:
                return []
            try:
                return list(self._read(kept, start, end))
            except OSError:
                self._forget_all()
                return []

    def _write(self, key: tuple[str, str], start: int, content: bytes) -> None:
        if self._file is None:
            self._file = TemporaryFile(dir=temporary_folder(), buffering=0)  # noqa: SIM115 - open as long as the source
            weakref.finalize(self, self._file.close)
        if self._position + len(content) > self.most_bytes:
            # What lies behind is the oldest: what is overwritten is always at the front.
            while self._kept and self._kept[0].offset >= self._position:
                self._forget(self._kept.popleft())
            self._position = 0
        kept = _Kept(key, start, start + len(content), self._position)
        while self._kept and kept.offset <= self._kept[0].offset < kept.last_offset:
            self._forget(self._kept.popleft())
        if os.pwrite(self._file.fileno(), content, kept.offset) != len(content):
            raise OSError("the disk is full")
        self._position = kept.last_offset
        self._kept.append(kept)
        self._of.setdefault(key, []).append(kept)

    def _read(self, kept: list[_Kept], start: int, end: int) -> Iterator[tuple[int, bytes]]:
        for range_ in kept:
            first, last = max(start, range_.start), min(end, range_.end)
            if first < last and self._file is not None:
                yield first, os.pread(self._file.fileno(), last - first, range_.offset + first - range_.start)
                start = last

    def _forget(self, kept: _Kept) -> None:
        others = [range_ for range_ in self._of[kept.key] if range_ is not kept]
        if others:
            self._of[kept.key] = others
        else:
            del self._of[kept.key]

    def _forget_all(self) -> None:
        self._kept.clear()
        self._of.clear()
        self._position = 0
        if self._file is not None:
            self._file.close()
            self._file = None


def gaps(found: list[tuple[int, bytes]], start: int, end: int) -> list[tuple[int, int]]:
    """The parts of ``start <= n < end`` that were not found."""
    missing = []
    for first, content in found:
        if start < first:
            missing.append((start, first))
        start = first + len(content)
    if start < end:
        missing.append((start, end))
    return missing
