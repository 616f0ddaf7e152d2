"""Reason codes: every one that the code gives, with the sentence that it gives it with or where it comes from."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import telemetry_quality
from telemetry_quality_tests.reference.markdown import page, table

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(telemetry_quality.__file__).parent
OPENING = """\
A reason code is stable: pages, alerts and programs group by it, and [its meaning stays](compatibility.md). The
sentence beside it names what was required, what was found and what helps; `…` stands for what differs. A guardrail's
sentence is made of the day's numbers and has no fixed form: [what the guardrails
mean](https://github.com/telemetry-quality/telemetry-quality/blob/main/README.md#what-the-guardrails-mean) says when
each fails."""

ROOMS = {
    "core/guardrails": "Verdicts of guardrails",
    "core": "Days, samples and decisions",
    "sources": "Sources that cannot be read",
    "storage": "The store",
    "dashboard": "The dashboard and its API",
    "notifications": "Messages",
}
_CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_NO_CODES = re.compile(r"^(TELEMETRY_QUALITY|DAGSTER|OTEL|AWS|PG[A-Z]|PYTHON|HTTP|SPARK|NO_COLOR)")


@dataclass
class Given:
    """Where a code is given, and with which sentence, which is empty if it stands alone."""

    modules: set[str] = field(default_factory=set)
    sentence: str = ""


def codes() -> dict[str, dict[str, Given]]:
    """Every code by the room that gives it."""
    found: dict[str, dict[str, Given]] = {room: {} for room in ROOMS}
    for file in sorted(PACKAGE.rglob("*.py")):
        relative = str(file.relative_to(PACKAGE))
        room = next((room for room in ROOMS if relative.startswith(f"{room}/")), None)
        if room is None or "migrations" in relative:
            continue
        for code, sentence in _given(ast.parse(file.read_text(encoding="utf-8"))):
            given = found[room].setdefault(code, Given())
            given.modules.add(file.stem)
            given.sentence = max(given.sentence, sentence, key=len)
    return found


def _given(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Codes that are given to something with a sentence, and those that stand alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            texts = [*node.args, *(keyword.value for keyword in node.keywords)]
            for code, sentence in zip(texts, [*texts[1:], None], strict=False):
                if _is_code(code):
                    yield code.value, _sentence(sentence)  # type: ignore[attr-defined]
        elif _is_code(node):
            yield node.value, ""  # type: ignore[attr-defined]


def _is_code(node: object) -> bool:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return is_text and bool(_CODE.fullmatch(node.value)) and not _NO_CODES.match(node.value)  # type: ignore[attr-defined]


def _sentence(node: ast.AST | None) -> str:
    """A text with what differs left out; empty unless it is a sentence."""
    parts: list[object] = []
    if isinstance(node, ast.Constant):
        parts = [node.value]
    elif isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
    text = "".join(map(str, parts))
    return text if text.endswith(".") else ""


def written() -> str:
    """The page."""
    sections = []
    for room, found in codes().items():
        rows = [
            (f"`{code}`", ", ".join(f"`{module}`" for module in sorted(given.modules)), given.sentence)
            for code, given in sorted(found.items())
        ]
        if rows:
            sections.append((ROOMS[room], table(["code", "given by", "sentence"], rows)))
    return page("Reason codes", OPENING, sections)
