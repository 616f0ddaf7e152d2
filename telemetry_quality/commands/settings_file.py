"""The text of a settings file: keys with comments, aligned, in which nothing that data holds can break out."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from telemetry_quality.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMENT_COLUMN = 33
LONGEST_LINE = 110
LONGEST_COMMENT = 160


class Line(NamedTuple):
    """A key with its value; without a value the line is a comment that begins with the key."""

    key: str
    value: Any = None
    comment: str = ""
    is_active: bool = True


def rendered(lines: Iterable[Line]) -> str:
    """The lines of a table."""
    return "".join(f"{_line(line)}\n" for line in lines)


def _line(line: Line) -> str:
    comment = shown(line.comment)
    if line.value is None:
        return f"# {line.key}: {comment}"
    text = f"{'' if line.is_active else '# '}{line.key} = {toml(line.value)}"
    beside = f"{text:{COMMENT_COLUMN - 1}} # {comment}" if comment else text
    # A long comment stands above its key.
    return beside if len(beside) <= LONGEST_LINE or not comment else f"# {comment}\n{text}"


def shown(text: str) -> str:
    """A text that may hold names from the data, as a comment of one line."""
    clean = visible(text)
    return clean if len(clean) <= LONGEST_COMMENT else f"{clean[: LONGEST_COMMENT - 1]}…"


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(key)} = {toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, date):
        return value.isoformat()
    # JSON escapes like TOML, except that TOML does not allow this control character and single surrogates.
    text = str(value).encode("utf-8", "replace").decode()
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
