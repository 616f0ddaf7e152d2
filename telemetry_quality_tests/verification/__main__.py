"""Run ``make verification``, or ``python -m telemetry_quality_tests.verification [CRITERION …]``."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from telemetry_quality.assembly import utc_now
from telemetry_quality_tests.verification.catalogue import CRITERIA
from telemetry_quality_tests.verification.criterion import Criterion, Finding
from telemetry_quality_tests.verification.report import PAGE, page
from telemetry_quality_tests.verification.stage import Stage

ROOT = Path(__file__).parents[2]


def run(criteria: tuple[Criterion, ...], stage: Stage) -> list[tuple[Criterion, Finding]]:
    """Measure each criterion, and say each as it is found; what raises does not hold."""
    found = []
    for criterion in criteria:
        try:
            finding = criterion.measure(stage)
        except Exception as error:  # noqa: BLE001 - the others are still measured, and this one fails
            finding = Finding(f"could not be measured: {type(error).__name__}: {error}"[:300], holds=False)
        sys.stdout.write(f"{'✓' if finding.holds else '✗'} {criterion.name:24} {finding.figure}\n")
        sys.stdout.flush()
        found.append((criterion, finding))
    return found


def main(names: list[str]) -> int:
    """Measure and, if everything was measured, write the page; 1 if a criterion does not hold, 2 if there is none."""
    known = {criterion.name: criterion for criterion in CRITERIA}
    if unknown := [name for name in names if name not in known]:
        sys.stderr.write(f"Error: A criterion is required ({', '.join(known)}), but {unknown[0]!r} was found.\n")
        return 2
    with TemporaryDirectory(prefix="telemetry-quality-verification-") as folder:
        found = run(tuple(known[name] for name in names) or CRITERIA, Stage(Path(folder)))
    if not names:
        PAGE.write_text(page(found, at=utc_now(), commit=_commit(), machine=_machine()), encoding="utf-8")
        sys.stdout.write(f"Wrote {PAGE.relative_to(ROOT)}.\n")
    failed = [criterion.name for criterion, finding in found if not finding.holds]
    if failed:
        sys.stderr.write(f"Error: Every criterion must hold, but {', '.join(failed)} failed.\n")
    return bool(failed)


def _commit() -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty= and uncommitted changes", "--exclude", "*"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return described.stdout.strip() or "unknown"


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
