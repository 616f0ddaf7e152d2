"""The command ``verify``: findings, anchors that are expected and kept, and exit codes."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from contextlib import closing
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality_tests.builders import make_store
from telemetry_quality_tests.commands.test_incidents import SETTINGS
from telemetry_quality_tests.commands.test_marks import MarkTerminal
from telemetry_quality_tests.servers import free_port
from telemetry_quality_tests.storage.examples import make_action, make_mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[MarkTerminal]:
    (tmp_path / "telemetry.toml").write_text(SETTINGS.format(name="web"))
    monkeypatch.chdir(tmp_path)
    store = make_store(tmp_path)
    store.append_incident_action(make_action())
    yield MarkTerminal(tmp_path, store, capsys)
    store.close()


def verify(terminal: MarkTerminal, *arguments: str) -> tuple[int, Any]:
    code, out, _ = terminal.type(*arguments, "--json", command="verify")
    return code, json.loads(out)


def test_an_anchor_is_found_again_after_more_was_stored_and_not_in_an_older_copy(terminal: MarkTerminal) -> None:
    shutil.copyfile("quality.db", "older.db")
    terminal.store.append_marked_days(make_mark())
    _, shown = verify(terminal)
    terminal.store.append_marked_days(make_mark())
    code, later = verify(terminal, "--expect", shown["anchor"])
    assert (code, later["is_intact"], later["expected_anchors"]) == (0, True, 1)
    assert later["anchor"] != shown["anchor"]

    shutil.copyfile("older.db", "quality.db")
    code, rolled_back = verify(terminal, "--expect", shown["anchor"])
    assert (code, rolled_back["is_intact"]) == (1, False)
    (finding,) = rolled_back["findings"]
    assert finding["sentence"].startswith("day_mark had 1 rows when the anchor was made, but has 0: the last rows were")
    assert verify(terminal)[0] == 0, "without the anchor, the older copy is a store like any other"


def test_anchors_are_kept_in_a_file_for_the_owner_alone_and_all_of_them_are_expected(terminal: MarkTerminal) -> None:
    for _ in range(3):
        assert terminal.type("--anchor", "anchors.txt", command="verify")[0] == 0
        terminal.store.append_marked_days(make_mark())
    file = terminal.folder / "anchors.txt"
    lines = file.read_text().splitlines()
    assert [datetime.fromisoformat(line.split()[0]).tzinfo is not None for line in lines] == [True] * 3
    assert file.stat().st_mode & 0o777 == 0o600
    code, shown = verify(terminal, "--expect", "anchors.txt")
    assert (code, shown["expected_anchors"]) == (0, 3)
    file.write_text("\n".join([lines[0], lines[1].replace("day_mark=1", "day_mark=7"), lines[2]]))
    code, shown = verify(terminal, "--expect", "anchors.txt", "--anchor", "anchors.txt")
    assert (code, [finding["table"] for finding in shown["findings"]]) == (1, ["day_mark"])
    assert len(file.read_text().splitlines()) == 3, "no anchor is kept of a store with findings"


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("0" * 64, "is neither"),
        ("alert=1:" + "0" * 63, "is neither"),
        ("empty.txt", "is empty"),
        ("telemetry.toml", "line 1 has none"),
        ("\x1b[2J", "is neither"),
    ],
)
def test_what_is_no_anchor_is_refused_in_a_sentence(terminal: MarkTerminal, expected: str, found: str) -> None:
    (terminal.folder / "empty.txt").write_text("")
    code, _, err = terminal.type("--expect", expected, command="verify")
    assert (code, err.count("\n")) == (2, 1)
    assert found in err
    assert "\x1b" not in err


def test_an_anchor_of_another_store_is_not_found(terminal: MarkTerminal) -> None:
    _, shown = verify(terminal)
    (terminal.folder / "quality.db").unlink()
    store = make_store(terminal.folder)
    store.append_incident_action(make_action(note="other"))
    code, found = verify(terminal, "--expect", shown["anchor"])
    assert (code, [finding["table"] for finding in found["findings"]]) == (1, ["anchor"])


def test_everything_wrong_is_listed_at_once(terminal: MarkTerminal) -> None:
    terminal.store.append_marked_days(make_mark())
    with closing(sqlite3.connect("quality.db")) as connection, connection:
        connection.execute("DROP TRIGGER incident_action_no_update")
        connection.execute("UPDATE incident_action SET accepted = '{', until = 'soon', acted_at = X'FF'")
        connection.execute("DROP TRIGGER day_mark_no_update")
        connection.execute("UPDATE day_mark SET note = CAST(X'FFFE' AS TEXT)")
        connection.execute("DROP TABLE alert")
    code, out, _ = terminal.type(command="verify")
    assert code == 1
    assert "web 2026-03-10 mute platform=ios holds what cannot be read in until, acted_at, accepted." in out
    assert "web 2026-03-10 mark bad was changed after it was written." in out
    assert "The table alert is missing with all its rows." in out
    assert "The trigger incident_action_no_update is gone or changed" in out


class Receiver(BaseHTTPRequestHandler):
    """Notes what is posted, and answers with ``status``."""

    posted: list[Any]
    status: int

    def do_POST(self) -> None:
        self.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def receiver() -> Iterator[tuple[type[Receiver], str]]:
    class Here(Receiver):
        posted: list[Any] = []  # noqa: RUF012
        status = 200

    with HTTPServer(("127.0.0.1", 0), Here) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield Here, f"http://127.0.0.1:{server.server_address[1]}/anchors?token=secret"
        server.shutdown()


@pytest.mark.slow
def test_an_anchor_is_posted_and_what_does_not_take_it_is_named_without_its_secret(
    terminal: MarkTerminal, receiver: tuple[type[Receiver], str]
) -> None:
    here, address = receiver
    assert terminal.type("--anchor", address, command="verify")[0] == 0
    (posted,) = here.posted
    assert (posted["anchor"], posted.keys()) == (str(terminal.store.anchor()), {"at", "anchor"})
    for here.status in (302, 500):
        code, _, err = terminal.type("--anchor", address, command="verify")
        assert code == 2
        assert f"127.0.0.1 must accept a POST request, but there was status {here.status}" in err
        assert "secret" not in err
    code, _, err = terminal.type("--anchor", f"http://127.0.0.1:{free_port()}/?token=secret", command="verify")
    assert (code, "there was ConnectionRefusedError" in err, "secret" in err) == (2, True, False)


def test_an_anchor_that_cannot_be_kept_leaves_one_json_document(terminal: MarkTerminal) -> None:
    code, out, _ = terminal.type("--anchor", "nowhere/anchors.txt", "--json", command="verify")
    assert code == 2
    assert json.loads(out)["error"]["sentence"].endswith("no anchor was kept.")


@pytest.mark.parametrize("place", ["ftp://audit/anchors?token=secret", "http://[secret", "https://"])
def test_an_address_that_takes_no_request_is_refused_without_its_secret(terminal: MarkTerminal, place: str) -> None:
    code, _, err = terminal.type("--anchor", place, command="verify")
    assert (code, "begins with https:// or http://" in err, "secret" in err) == (2, True, False)


def test_an_anchor_that_names_an_unknown_chain_is_not_found(terminal: MarkTerminal) -> None:
    _, shown = verify(terminal)
    unknown = "nonsense=0," + shown["anchor"]
    code, found = verify(terminal, "--expect", unknown)
    assert (code, [finding["table"] for finding in found["findings"]]) == (1, ["anchor"])


def test_a_hash_that_is_no_text_is_a_finding_also_where_an_anchor_is_expected(terminal: MarkTerminal) -> None:
    _, shown = verify(terminal)
    with closing(sqlite3.connect("quality.db")) as connection, connection:
        connection.execute("DROP TRIGGER incident_action_no_update")
        connection.execute("UPDATE incident_action SET content_hash = X'FF00'")
    code, found = verify(terminal, "--expect", shown["anchor"])
    assert code == 1
    assert {finding["table"] for finding in found["findings"]} == {"anchor", "incident_action"}


@pytest.mark.slow
def test_an_address_that_drips_is_given_up_in_time(terminal: MarkTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry_quality.storage.kept_anchors.ANSWER_SECONDS", 0.5)
    is_over = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                while not is_over.wait(0.1):
                    connection.sendall(b"H")

        dripping = Thread(target=drip)
        dripping.start()
        code, _, err = terminal.type("--anchor", f"http://127.0.0.1:{server.getsockname()[1]}/", command="verify")
        is_over.set()
        dripping.join()
    assert (code, "no response within 0.5 seconds" in err) == (2, True)
