"""The command ``incidents`` on a real store with judged days."""

from __future__ import annotations

import getpass
import json
import logging
import shutil
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality import cli
from telemetry_quality.core.guardrails.catalogue import policy_of
from telemetry_quality.core.guardrails.verdicts import DAY_UNREADABLE, Contributor, Level, Outcome, Segment, Verdict
from telemetry_quality.core.incidents import Action, IncidentAction
from telemetry_quality.core.metrics import DayFigures
from telemetry_quality.core.snapshots import take_snapshot
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality_tests.builders import NOW, make_figures, make_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NEXT_MONTH = str((datetime.now(UTC) + timedelta(days=30)).date())

SETTINGS = """
store = "sqlite:///quality.db"

[sources.{name}]
connector = "parquet"
path = "events"
first_day = 2026-02-01
last_day = 2026-03-10

[sources.{name}.roles]
event_id = "event_id"
occurred_at = "occurred_at"
event_name = "event_name"
service_version = "service_version"
is_error = "is_error"
"""
IOS = Contributor(Segment((("platform", "ios"),)), 10, 200, 90.0)
ODD = Contributor(Segment((("platform", "[red]\x1b[31m\n"),)), 10, 200, 90.0)


def failed(guardrail: str = "error_rate", level: Level = Level.CRITICAL, *contributors: Contributor) -> Verdict:
    sentence = f"20.00 % of 1,000 events make {guardrail} fail, more than the 5 % allowed."
    return Verdict(guardrail, level, Outcome.FAILED, "ERROR_RATE_HIGH", 20.0, 5.0, sentence, contributors)


def passed(guardrail: str) -> Verdict:
    return Verdict(guardrail, Level.INFO, Outcome.PASSED, "OK", 0.0, 5.0, "All is well.")


class Terminal:
    """A folder in which the command is typed, and the store in its settings."""

    def __init__(self, folder: Path, store: SqlQualityStore, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.store = store
        self._capsys = capsys

    def type(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of ``telemetry-quality incidents ARGUMENTS``."""
        with pytest.raises(SystemExit) as stop:
            cli.main(["incidents", *arguments])
        captured = self._capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    def json(self, *arguments: str) -> tuple[int, Any]:
        code, out, _ = self.type(*arguments, "--json")
        return code, json.loads(out)

    def keys(self, *arguments: str) -> tuple[int, list[str]]:
        code, shown = self.json(*arguments)
        return code, [incident["key"] for incident in shown["incidents"]]

    def judge(self, number: int, *verdicts: Verdict, source: str = "web", is_unreadable: bool = False) -> None:
        judge(self.store, number, *verdicts, source=source, is_unreadable=is_unreadable)


def judge(
    store: SqlQualityStore,
    number: int,
    *verdicts: Verdict,
    source: str = "web",
    is_unreadable: bool = False,
    now: datetime = NOW,
) -> None:
    """Store a snapshot of a day in March with ``verdicts``; all other guardrails passed."""
    given = {verdict.guardrail: verdict for verdict in verdicts}
    names = dict.fromkeys(("activity", "error_rate", "missing_version", "volume", *given))
    figures = make_figures()
    complete = [given.get(name) or passed(name) for name in names]
    if is_unreadable:
        figures = DayFigures(unreadable_reason_code="FILE_BROKEN", unreadable_reason="Half a file.")
        complete = [
            Verdict(name, Level.CRITICAL, Outcome.UNKNOWN, DAY_UNREADABLE, None, None, "Half a file.") for name in names
        ]
    snapshot = take_snapshot(
        source=source,
        day=date(2026, 3, number),
        figures=figures,
        verdicts=complete,
        policy=policy_of(),
        scan_revision=1,
        scan_hash="0" * 64,
        now=now,
    )
    store.append_snapshot(snapshot, complete)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bad days on iOS, a good day, and a bad day that is the latest; made once, for copying."""
    folder = tmp_path_factory.mktemp("judged")
    (folder / "telemetry.toml").write_text(SETTINGS.format(name="web"))
    store = make_store(folder)
    judge(store, 2)
    judge(store, 3, failed("error_rate", Level.CRITICAL, IOS), failed("missing_version", Level.WARNING, IOS))
    judge(store, 4, failed("error_rate", Level.CRITICAL, IOS))
    judge(store, 5)
    judge(store, 6, failed("volume", Level.INFO))
    store.close()
    return folder


@pytest.fixture
def terminal(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Terminal]:
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    store = SqlQualityStore(f"sqlite:///{tmp_path / 'quality.db'}")
    yield Terminal(tmp_path, store, capsys)
    store.close()


def add_source(terminal: Terminal, name: str) -> None:
    file = terminal.folder / "telemetry.toml"
    file.write_text(file.read_text() + SETTINGS.format(name=name).partition("\n\n")[2])


def test_the_list_shows_open_incidents_and_exit_code_1_says_that_there_are_any(terminal: Terminal) -> None:
    assert terminal.keys() == (1, ["web/2026-03-06"])
    code, out, _ = terminal.type()
    assert code == 1
    assert "web/2026-03-06" in out
    assert "✗ open" in out
    assert "i INFO" in out
    assert "make volume fail" in " ".join(out.split())


def test_without_open_incidents_the_exit_code_is_0_and_a_sentence_says_so(terminal: Terminal) -> None:
    terminal.judge(7)
    assert terminal.type() == (
        0,
        "No open incidents; --all lists closed ones too.\nNext: telemetry-quality health\n",
        "",
    )
    assert terminal.keys() == (0, [])
    assert terminal.keys("--all") == (0, ["web/2026-03-03", "web/2026-03-06"])


def test_a_store_without_snapshots_has_no_incidents(terminal: Terminal) -> None:
    add_source(terminal, "app")
    assert terminal.type("--source", "app", "--all") == (0, "No incidents.\nNext: telemetry-quality health\n", "")


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["--all"], ["web/2026-03-06", "web/2026-03-03"]),
        (["--days", "5"], ["web/2026-03-06"]),
        (["--days", "7"], ["web/2026-03-06", "web/2026-03-03"]),
        (["--first", "2026-03-05"], ["web/2026-03-06"]),
        (["--last", "2026-03-03"], ["web/2026-03-03"]),
        (["--last", "yesterday", "--first", "2026-03-06"], ["web/2026-03-06"]),
        (["--first", "2026-03-04", "--last", "2026-03-05"], ["web/2026-03-03"]),
        (["--first", "2026-03-05", "--last", "2026-03-05"], []),
        (["--first", "2026-03-05", "--last", "2026-03-05", "--all"], []),
    ],
)
def test_a_range_lists_all_incidents_within_it_newest_first(
    terminal: Terminal, arguments: Sequence[str], keys: list[str]
) -> None:
    assert terminal.keys(*arguments)[1] == keys


def test_an_incident_is_assigned_and_shown_with_the_owners_of_its_source(terminal: Terminal) -> None:
    file = terminal.folder / "telemetry.toml"
    file.write_text(file.read_text().replace("[sources.web]", '[sources.web]\nowners = ["team:web"]'))
    assert terminal.type("assign", "web/2026-03-06", "--to", "grace", "--by", "ada")[:2] == (
        0,
        "web/2026-03-06 is now open, assigned to grace.\n",
    )
    text = " ".join(terminal.type("show", "web/2026-03-06")[1].split())
    assert "owners team:web" in text
    assert "UTC ada assigned it to grace" in text
    shown = terminal.json("show", "web/2026-03-06")[1]["incident"]
    assert (shown["assignee"], shown["owners"]) == ("grace", ["team:web"])
    code, _, error = terminal.type("assign", "web/2026-03-06", "--to", " ")
    assert code == 2
    assert "The name of a person" in error


def test_show_shows_days_sentences_and_actions(terminal: Terminal) -> None:
    terminal.type("acknowledge", "web/2026-03-03", "--by", "ada", "--note", "a new release")
    code, out, _ = terminal.type("show", "web/2026-03-03")
    assert code == 0, "it is closed"
    text = " ".join(out.split())
    for words in (
        "web/2026-03-03",
        "✓ closed, acknowledged by ada",
        "2 to 2026-03-04",
        "✗ CRITICAL",
        "error_rate (2), missing_version (1)",
        "cause platform=ios",
        "peak 2026-03-03 error_rate: 20.00 %",
        "2026-03-03 ! WARNING missing_version 20.00 % of 1,000 events",
        "UTC ada acknowledged it: a new release",
    ):
        assert words in text
    assert terminal.type("show", "web/2026-03-06")[0] == 1, "it is open"


def test_show_and_the_list_give_machines_the_same_object(terminal: Terminal) -> None:
    terminal.type("confirm", "web/2026-03-03", "--by", "ada")
    _, listed = terminal.json("--all")
    _, shown = terminal.json("show", "web/2026-03-03")
    assert shown.keys() == {"incident"}
    assert shown["incident"] == listed["incidents"][1]
    assert shown["incident"]["confirmed_days"] == ["2026-03-03", "2026-03-04"]


def test_two_incidents_of_one_day_have_different_keys(terminal: Terminal) -> None:
    terminal.judge(8)
    web = Contributor(Segment((("platform", "web"),)), 10, 200, 90.0)
    terminal.judge(9, failed("volume", Level.INFO, web), failed("error_rate", Level.CRITICAL, IOS))
    assert terminal.keys()[1] == ["web/2026-03-09", "web/2026-03-09.2"]
    assert terminal.json("show", "web/2026-03-09.2")[1]["incident"]["root_cause"] == "platform=web"


def test_a_day_that_could_not_be_read_is_an_incident(terminal: Terminal) -> None:
    terminal.judge(7, is_unreadable=True)
    code, shown = terminal.json()
    assert code == 1
    assert [(incident["first_day"], incident["root_cause"]) for incident in shown["incidents"]] == [
        ("2026-03-07", "unreadable"),
        ("2026-03-06", "everywhere"),
    ]


def test_a_day_that_heals_by_a_later_revision_leaves_its_incident(terminal: Terminal) -> None:
    terminal.type("confirm", "web/2026-03-03", "--by", "ada")
    terminal.judge(3)
    assert terminal.keys("--all")[1] == ["web/2026-03-06", "web/2026-03-04"]
    _, shown = terminal.json("show", "web/2026-03-04")
    assert shown["incident"]["confirmed_days"] == ["2026-03-04"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["acknowledge"], "open, acknowledged by ada"),
        (["comment"], "open"),
        (["mute", "--until", NEXT_MONTH], f"open, muted until {NEXT_MONTH}"),
        (["confirm"], "open, confirmed"),
        (["dismiss"], "open, dismissed"),
        (["accept"], "closed, accepted by ada"),
    ],
)
def test_an_action_is_stored_and_the_output_shows_the_new_state(
    terminal: Terminal, arguments: Sequence[str], words: str
) -> None:
    name, *options = arguments
    code, out, _ = terminal.type(name, "web/2026-03-06", *options, "--by", "ada", "--note", "why")
    assert (code, out) == (0, f"web/2026-03-06 is now {words}.\n")
    (action,) = terminal.store.incident_actions("web")
    assert (action.action, action.by, action.note, action.root_cause) == (Action(name), "ada", "why", "everywhere")
    assert datetime.now(tz=action.acted_at.tzinfo) - action.acted_at < timedelta(minutes=1)


def test_every_action_is_stored_even_if_a_later_one_wins(terminal: Terminal) -> None:
    for arguments in (["confirm", "--by", "ada"], ["dismiss", "--by", "bob"], ["confirm", "--by", "eve"]):
        name, *options = arguments
        assert terminal.json(name, "web/2026-03-03", *options)[0] == 0
    _, shown = terminal.json("show", "web/2026-03-03")
    assert [(action["action"], action["by"]) for action in shown["incident"]["actions"]] == [
        ("confirm", "ada"),
        ("dismiss", "bob"),
        ("confirm", "eve"),
    ]
    assert shown["incident"]["is_confirmed"] is True
    assert len(terminal.store.incident_actions("web")) == 3
    assert [finding for finding in terminal.store.verify().findings if finding.table == "incident_action"] == []


def test_the_decision_is_made_under_the_login_name_by_default(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    terminal.type("acknowledge", "web/2026-03-06")
    assert [action.by for action in terminal.store.incident_actions("web")] == ["grace"]

    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nameless)
    code, _, err = terminal.type("acknowledge", "web/2026-03-06")
    assert code == 2
    assert "The name of the person who decides is required" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "web/2026-03-04"], "no incident has the key 'web/2026-03-04'; did you mean web/2026-03-03?"),
        (
            ["show", "web/2026-03-05"],
            "no incident has the key 'web/2026-03-05'; telemetry-quality incidents --all lists them.",
        ),
        (["show", "web/yesterday"], "no incident has the key 'web/yesterday'"),
        (["show", "2026-03-03"], "An incident's key such as web/2026-03-10, of the source web, is required"),
        (["show", "app/2026-03-03"], "of the source web, is required, but 'app/2026-03-03' was found"),
        (
            ["show", "web/2026-03-03", "--source", "app"],
            "of the source app, is required, but 'web/2026-03-03' was found",
        ),
        (["confirm", "web/2026-03-05"], "no incident has the key"),
        (["confirm", "web/2026-03-03", "--by", " "], "The name of the person who decides is required, but it is empty"),
        (["mute", "web/2026-03-03", "--until", "2020-01-01"], "is required to mute until, but 2020-01-01 was found"),
        (["mute", "web/2026-03-03", "--until", "yesterday"], "is required to mute until"),
        (["mute", "web/2026-03-03", "--until", "soon"], "a day such as 2013-02-08 is required, but 'soon' was given"),
        (["mute", "web/2026-03-03"], "--until"),
        (["show"], "KEY"),
        (["forget", "web/2026-03-03"], "forget"),
        (["--days", "3", "--first", "2026-03-01"], "Either --days or --first and --last may be given"),
        (["--first", "2026-03-05", "--last", "2026-03-01"], "FIRST must not be after LAST"),
        (["--first", "2026-03-11"], "FIRST must not be after LAST"),
        (["--source", "app"], "--source requires one of web"),
        (["--all", "show", "web/2026-03-03"], "apply only to the list, but a command was given"),
    ],
)
def test_a_mistake_is_one_sentence_with_exit_code_2_and_stores_nothing(
    terminal: Terminal, arguments: Sequence[str], words: str
) -> None:
    code, _, err = terminal.type(*arguments)
    assert code == 2
    assert words in err
    assert (err.startswith("Error: "), err.count("\n")) == (True, 1)
    assert terminal.json(*arguments)[1].keys() == {"error"}
    assert terminal.store.incident_actions("web") == []


def test_options_before_the_command_name_count_as_if_they_came_after_it(terminal: Terminal) -> None:
    elsewhere = terminal.folder / "elsewhere.toml"
    (terminal.folder / "telemetry.toml").rename(elsewhere)
    code, out, _ = terminal.type("--config", str(elsewhere), "--json", "show", "web/2026-03-06")
    assert (code, json.loads(out)["incident"]["key"]) == (1, "web/2026-03-06")
    assert terminal.type("show", "web/2026-03-06")[0] == 2


def test_several_sources_are_listed_together_and_the_key_says_which(terminal: Terminal) -> None:
    add_source(terminal, "app")
    terminal.judge(6, failed(), source="app")
    assert sorted(terminal.keys()[1]) == ["app/2026-03-06", "web/2026-03-06"]
    assert terminal.keys("--source", "app")[1] == ["app/2026-03-06"]
    assert terminal.type("acknowledge", "app/2026-03-06", "--by", "ada")[0] == 0
    assert terminal.store.incident_actions("web") == []


def test_control_characters_in_values_and_notes_are_escaped(terminal: Terminal) -> None:
    terminal.judge(8)
    terminal.judge(9, failed("error_rate", Level.CRITICAL, ODD))
    terminal.type("acknowledge", "web/2026-03-09", "--by", "[bold]ada\x1b[0m", "--note", "[/]\x1b[2J")
    for arguments in ([], ["show", "web/2026-03-09"]):
        code, out, _ = terminal.type(*arguments)
        assert code == 1
        assert "\x1b" not in out
        assert "[red]�[31m�" in out
        assert "[bold]ada" in out


def test_an_action_of_another_program_without_days_seen_is_read_too(terminal: Terminal) -> None:
    day = date(2026, 3, 4)
    terminal.store.append_incident_action(
        IncidentAction("web", day, "platform=ios", Action.CONFIRM, "ada", "", None, NOW)
    )
    _, shown = terminal.json("show", "web/2026-03-03")
    assert shown["incident"]["confirmed_days"] == ["2026-03-04"]
    assert shown["incident"]["actions"][0]["until"] is None


def test_listing_logs_nothing(terminal: Terminal, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "telemetry_quality"):
        terminal.type("--all")
    assert caplog.records == []


def test_help_names_every_command_and_the_days_it_takes(terminal: Terminal) -> None:
    code, out, _ = terminal.type("--help")
    assert code == 0
    for name in ("show", "acknowledge", "mute", "confirm", "dismiss", "accept"):
        assert f"  {name} " in out
