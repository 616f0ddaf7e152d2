from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry_quality import cli
from telemetry_quality_tests.commands.test_golden import commands_of
from telemetry_quality_tests.orchestration.station import SETTINGS

ASKS = """
source ~/.bashrc
for words in "hea" "staff token l" "health --source w"; do
  COMP_WORDS=(telemetry-quality $words)
  COMPREPLY=()
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _telemetry_quality_completion telemetry-quality
  echo "${COMPREPLY[@]}"
done
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["completion", *arguments])
    return int(stop.value.code or 0)


@pytest.mark.slow
def test_a_new_bash_completes_commands_groups_and_the_sources_of_the_settings(home: Path) -> None:
    (home / ".bashrc").write_text("export BEFORE=1")
    (home / "telemetry.toml").write_text(SETTINGS.format(extra=""))
    assert run("bash") == 0

    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = subprocess.run(
        ["bash", "--norc", "-c", ASKS], env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True
    )

    assert found.stdout.splitlines() == ["health", "list", "web"], found.stderr


@pytest.mark.parametrize(
    ("shell", "file", "start"),
    [
        ("bash", ".local/share/telemetry-quality/completion.bash", ".bashrc"),
        ("zsh", ".local/share/telemetry-quality/completion.zsh", ".zshrc"),
        ("fish", ".config/fish/completions/telemetry-quality.fish", None),
    ],
)
def test_installing_twice_leaves_one_script_that_the_shell_reads_once(
    home: Path, capsys: pytest.CaptureFixture[str], shell: str, file: str, start: str | None
) -> None:
    assert (run(shell), run(shell)) == (0, 0)
    assert "_TELEMETRY_QUALITY_COMPLETE=" in (home / file).read_text()
    assert str(home / file) in capsys.readouterr().out
    assert {path.name for path in home.iterdir() if path.is_file()} == ({start} if start else set())
    if start:
        assert (home / start).read_text() == f'source "{home / file}"\n'


def test_what_is_printed_is_what_would_be_installed_and_installs_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("zsh", "--print") == 0
    printed = capsys.readouterr().out
    assert list(home.iterdir()) == []
    run("zsh")
    assert (home / ".local/share/telemetry-quality/completion.zsh").read_text() == printed


def test_a_home_that_cannot_be_written_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".local").write_text("a file")
    assert run("bash") == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: completion requires a writable home, but ")
    assert "run telemetry-quality completion bash --print" in error


def test_the_help_of_no_command_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("", *commands_of(cli.cli)):
        with pytest.raises(SystemExit):
            cli.main([*name.split(), "--help"])
        words = capsys.readouterr().out.replace("[ARGS]...", "").replace("FIRST...LAST", "").split()
        assert [word for word in words if "…" in word or "..." in word] == [], name
