"""Installs a built wheel into new environments of several Pythons, and uses it as its users begin.

``make smoke PYTHONS="python3.11 python3.13"`` runs it before a release.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

EXTRAS = "dashboard,demo,dg"
STRICT = "error::DeprecationWarning,error::PendingDeprecationWarning,error::FutureWarning"
"""Warnings that announce a failure: each of them fails the start."""

PROGRAM = """
import sys
from datetime import date
from telemetry_quality import health_service, load_settings

settings = load_settings("telemetry.toml")
integrity = health_service(settings).calculate_daily_integrity(date(2013, 12, 30))
print(sys.version.split()[0], integrity.status.value)
"""


def smoke(python: str, wheel: Path, folder: Path) -> None:
    """Install ``wheel`` for ``python`` below ``folder``, and run what must work in a new environment.

    Raises:
        CalledProcessError: If a step failed; what it printed is shown.
    """
    environment, work = folder / "environment", folder / "work"
    work.mkdir(parents=True)
    _run([python, "-m", "venv", environment], folder)
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    _run([programs / "pip", "install", "--quiet", f"{wheel}[{EXTRAS}]"], folder)
    _run([programs / "pip", "check"], folder)
    command = programs / "telemetry-quality"
    _run([command, "demo", "--no-serve", "--days", "20"], work, codes=(0, 1))
    _run([command, "--help"], work, warnings=STRICT)
    _run([command, "health", "--days", "20"], work, warnings=STRICT, codes=(0, 1))
    _run([programs / "python", "-c", "import telemetry_quality.definitions"], work, warnings=STRICT)
    _run([programs / "python", "-c", PROGRAM], work)


def _run(command: list[str | Path], folder: Path, *, warnings: str = "", codes: tuple[int, ...] = (0,)) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TELEMETRY_"))}
    variables |= {"DAGSTER_DISABLE_TELEMETRY": "yes"} | ({"PYTHONWARNINGS": warnings} if warnings else {})
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    words = " ".join(str(word) for word in command if "\n" not in str(word))
    if done.returncode not in codes:
        sys.stderr.write(f"{done.stdout}\n{done.stderr}\n")
        raise subprocess.CalledProcessError(done.returncode, words)
    _say(f"ok: {words}{', warnings are errors' if warnings else ''}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Try the wheel with every Python that is named; 1 if it failed with any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("pythons", nargs="+", help="commands, such as python3.13")
    options = parser.parse_args()
    failed = []
    for python in options.pythons:
        _say(f"== {python}")
        with tempfile.TemporaryDirectory(prefix="telemetry-quality-smoke-") as folder:
            try:
                smoke(python, options.wheel.resolve(), Path(folder))
            except (subprocess.CalledProcessError, OSError) as error:
                _say(f"FAILED: {error}")
                failed.append(python)
    _say(f"{len(options.pythons) - len(failed)} of {len(options.pythons)} passed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
