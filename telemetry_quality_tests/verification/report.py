"""The report of a verification, as a page of the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from telemetry_quality_tests.verification.criterion import Criterion, Finding

PAGE = Path(__file__).parents[2] / "docs" / "verification-report.md"

HEAD = """\
# Verification report

`make verification` measured every criterion of the project's mission and wrote this page: on {day} (UTC), at commit
`{commit}`, with {machine}. {sentence}

The days are real unless the figure says otherwise: every flight that left New York in 2013, 336,776 departures in 365
Parquet files, judged with the demo's settings into SQLite. Times are real time in one process, warm, with whatever else
the machine was doing. Where a figure counts tests, the tests have tried to break the promise. To measure one again:

```text
make verification ONLY="NAME"
```

What the settings and the conditions of larger measurements were: [performance](explanation/performance.md),
[detection](explanation/detection.md), [reliability](explanation/reliability.md).

| criterion | what must hold | what was measured | |
|---|---|---|---|
"""


def page(found: Iterable[tuple[Criterion, Finding]], *, at: datetime, commit: str, machine: str) -> str:
    """The page in Markdown."""
    rows = list(found)
    failed = [criterion.name for criterion, finding in rows if not finding.holds]
    sentence = f"{len(rows) - len(failed)} of {len(rows)} criteria hold."
    if failed:
        sentence += f" These do not: {', '.join(failed)}."
    head = HEAD.format(day=f"{at:%Y-%m-%d %H:%M}", commit=commit, machine=machine, sentence=sentence)
    lines = [_row(criterion, finding) for criterion, finding in rows]
    return head + "\n".join(lines) + "\n"


def _row(criterion: Criterion, finding: Finding) -> str:
    cells = f"`{criterion.name}`", _cell(criterion.promise), _cell(finding.figure)
    return f"| {' | '.join(cells)} | {'✓ holds' if finding.holds else '✗ fails'} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
