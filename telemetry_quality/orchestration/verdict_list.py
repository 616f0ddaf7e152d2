"""The verdicts of a day as a short list in Markdown, with what failed first.

Dagster shows Markdown inline while it is short, and renders links and HTML in it. Sentences quote names of events,
which come from strangers, so whatever could become markup is escaped.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from telemetry_quality.core.clipping import ELLIPSIS
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Level, Outcome
from telemetry_quality.core.messages.wording import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.guardrails.verdicts import Verdict

LONGEST_LIST = 999
"""Characters that Dagster shows without a click."""

LONGEST_SENTENCE = 160

MARKUP = re.compile(r"([\\`*_\[\]<>~|&#])")
"""Characters that mean something in Markdown within a line."""


def verdict_list(verdicts: Sequence[Verdict]) -> str:
    """Failures by level, how many guardrails passed, and why others were not judged; or why the day is unreadable."""
    found: defaultdict[Outcome, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.reason_code == DAY_UNREADABLE:
            return f"- {escaped(_cut(verdict.sentence))}"
        found[verdict.outcome].append(verdict)
    failed = sorted(found[Outcome.FAILED], key=lambda verdict: list(Level).index(verdict.level))
    rest = _rest(len(found[Outcome.PASSED]), found[Outcome.UNKNOWN])
    lines = [
        f"- **{escaped(verdict.guardrail)}** ({verdict.level}): {escaped(_cut(verdict.sentence))}" for verdict in failed
    ]
    return "\n".join([*_fitting(lines, LONGEST_LIST - len(rest) - 1), rest])


def escaped(text: str) -> str:
    """``text`` as Markdown that shows it and nothing else: no link, no image, no HTML."""
    return MARKUP.sub(r"\\\1", harmless(text))


def _rest(passed: int, unknown: Sequence[Verdict]) -> str:
    """The last line, for what did not fail."""
    if not unknown:
        return f"- {passed} passed"
    why = ", ".join(sorted({verdict.reason_code for verdict in unknown}))
    return f"- {passed} passed, {len(unknown)} not judged ({escaped(_cut(why))})"


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    """As many lines as fit, and how many were left out."""
    kept: list[str] = []
    for number, line in enumerate(lines):
        more = f"- and {len(lines) - number} more"
        if sum(map(len, kept)) + len(kept) + len(line) + 1 + len(more) > room:
            return [*kept, more]
        kept.append(line)
    return kept


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else f"{text[:LONGEST_SENTENCE]}{ELLIPSIS}"
