"""What a command writes to in tests: a terminal, or a file."""

from __future__ import annotations

import io

import click


class Screen(io.TextIOWrapper):
    """What a command writes to; perhaps a terminal."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="\n")
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def text(self) -> str:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return click.unstyle(buffer.getvalue().decode().replace("\r\n", "\n"))
