"""A newcomer's first change works as CONTRIBUTING.md says, and the forms for reports and changes are whole."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from telemetry_quality_tests.docs import walk as walking
from telemetry_quality_tests.docs.walk import walk

ROOT = Path(__file__).parents[1]
COPIED = ("telemetry_quality", "telemetry_quality_tests", "docs", "deploy", ".ci", ".github")


@pytest.mark.slow
def test_the_first_change_is_red_and_then_green(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "pytest").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pytest -p no:cacheprovider "$@"\n')
    (programs / "pytest").chmod(0o755)
    monkeypatch.setattr(walking, "DOCS", ROOT)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(folder)}
    walk("CONTRIBUTING.md", folder, environment)
    assert '"tbd"' in (folder / "telemetry_quality" / "core" / "event_schema.py").read_text()


def test_forms_for_reports_ask_for_what_is_needed() -> None:
    forms = ROOT / ".github" / "ISSUE_TEMPLATE"
    for file in forms.glob("*.yml"):
        form = yaml.safe_load(file.read_text(encoding="utf-8"))
        if file.name == "config.yml":
            assert form["contact_links"]
            continue
        assert {"name", "description", "body"} <= form.keys()
        ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
        assert len(ids) == len(set(ids))
        assert all(part["attributes"]["label"] for part in form["body"] if part["type"] != "markdown")
        assert any(part.get("validations", {}).get("required") for part in form["body"])
    assert "telemetry-quality check" in (forms / "bug.yml").read_text()


def test_the_workflow_runs_the_gate_that_everybody_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert any(".ci/run" in step.get("run", "") for step in job["steps"])
    assert workflow["permissions"] == {"contents": "read"}


@pytest.mark.parametrize(("length", "code"), [(72, 0), (73, 1)])
def test_the_hook_accepts_subjects_of_at_most_72_characters(tmp_path: Path, length: int, code: int) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    (hook,) = (hook for hook in hooks if hook["id"] == "subject")
    message = tmp_path / "message"
    message.write_text(f"{'x' * length}\n\n{'y' * 200}\n")
    done = subprocess.run(f"{hook['entry']} {message}", shell=True, capture_output=True, check=False)
    assert done.returncode == code


def test_governance_is_five_lines() -> None:
    assert len(re.findall(r"^\d\. ", (ROOT / "GOVERNANCE.md").read_text(), flags=re.MULTILINE)) == 5
