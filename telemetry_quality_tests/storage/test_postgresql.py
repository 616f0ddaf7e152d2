"""The store in PostgreSQL keeps its promises by PostgreSQL's own means; ``test_store`` covers both databases."""

from __future__ import annotations

import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import insert, make_url, text, update

from telemetry_quality.core.events import DayAggregates, UnreadableDay
from telemetry_quality.core.sampling import SampleVerdict
from telemetry_quality.errors import StoreError
from telemetry_quality.storage.engine import database_at, open_engine, open_read_only_engine, transaction
from telemetry_quality.storage.grants import MEASURED, SAID_BY_PEOPLE, grant
from telemetry_quality.storage.migrations import differences, migrate
from telemetry_quality.storage.reader import StoreReader
from telemetry_quality.storage.staff.changes import Actor
from telemetry_quality.storage.staff.store import StaffStore
from telemetry_quality.storage.staff.tokens import fingerprint
from telemetry_quality.storage.store import SqlQualityStore
from telemetry_quality.storage.tables import (
    APPEND_ONLY,
    CHAINED,
    MUTABLE,
    SCHEMA_REVISION,
    incident_action,
    staff_account,
)
from telemetry_quality.storage.triggers import expected_triggers
from telemetry_quality.storage.views import view_statement
from telemetry_quality_tests.builders import DAY, NOW, dispatch_alerts, make_row, make_scan, make_snapshot, make_store
from telemetry_quality_tests.servers import free_port
from telemetry_quality_tests.storage.examples import (
    VERDICTS,
    make_action,
    make_delivery,
    make_forecast,
    make_full_scan,
    make_mark,
    make_running_hour,
    make_sign_in,
    run,
)
from telemetry_quality_tests.storage.test_concurrency import append_at_once, tampering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry_quality_tests.servers import PostgreSQL

TABLES = [table.name for table in APPEND_ONLY]
NEXT_DAY = DAY + timedelta(days=1)
PASSWORD = "hunter2"


def fill(url: str) -> None:
    """Rows in every table: two days, one of them unreadable later, and everything that a stranger may type."""
    measure(url)
    say(url)


def measure(url: str) -> None:
    """What runs append."""
    store = SqlQualityStore(url)
    berlin = datetime.fromisoformat("2026-06-01T14:00:00.250+02:00")
    for day in (DAY, NEXT_DAY):
        odd = (make_row(event_name="a\x00b␀0"), make_row(event_name="Ä", hour=3), make_row(event_name=None, hour=2))
        full = make_full_scan(day, aggregates=DayAggregates(odd))
        scan = store.append_scan("web", full, (SampleVerdict("s1"), SampleVerdict(None, ("A",))), berlin)
        snapshot = replace(make_snapshot(day, expected_events=1000.0), scan_hash=scan.figures_hash)
        snapshot, _ = store.append_snapshot(snapshot, VERDICTS)
        dispatch_alerts(store, snapshot, VERDICTS)
        store.append_delivery(make_delivery(title="a\x00b␀0"))
    store.append_scan("web", UnreadableDay(DAY, "NO_FILES", "None."), (), NOW)
    for day in (DAY, NEXT_DAY):
        store.append_forecast(make_forecast(day=day))
    store.append_running_hours([make_running_hour(hour=hour) for hour in (10, 11)])


def say(url: str) -> None:
    """What the dashboard appends."""
    store, staff = SqlQualityStore(url), StaffStore(url)
    for day in (DAY, NEXT_DAY):
        store.append_incident_action(make_action(day=day))
        store.append_marked_days(make_mark())
        staff.record(make_sign_in(account_name="a\x00b", at=NOW + timedelta(microseconds=1)))
    staff.add_account("grace", None, NOW + timedelta(microseconds=1), actor=Actor("eve\x00", "::1"))
    staff.close()


@pytest.fixture(scope="module")
def filled_url(new_postgresql_store: Callable[[], str]) -> str:
    """A store with rows in every table, which no test changes."""
    url = new_postgresql_store()
    fill(url)
    return url


@pytest.fixture
def url(new_postgresql_store: Callable[[], str]) -> str:
    return new_postgresql_store()


@pytest.fixture
def reader(url: str) -> Iterator[StoreReader]:
    opened = StoreReader(url)
    yield opened
    opened.close()


def test_the_migrations_make_exactly_what_the_models_say_even_if_all_migrate_at_once(postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(migrate, [url] * 3)) == [SCHEMA_REVISION] * 3
    engine = open_engine(url)
    assert differences(engine) == []
    engine.dispose()
    assert SqlQualityStore(url).verify().findings == ()


def test_the_same_content_has_the_same_hashes_as_in_sqlite(tmp_path: Path, filled_url: str) -> None:
    make_store(tmp_path)
    file = f"sqlite:///{tmp_path / 'quality.db'}"
    fill(file)
    here, there = SqlQualityStore(filled_url), SqlQualityStore(file)
    assert here.verify() == there.verify()
    for table in CHAINED:
        hashes = f"SELECT sequence, content_hash, previous_hash FROM {table.name} ORDER BY sequence"
        assert run(filled_url, hashes) == run(file, hashes), table.name
    readers = StoreReader(filled_url), StoreReader(file)
    for ask in (
        StoreReader.journal,
        StoreReader.snapshots,
        lambda reader: reader.incidents("web"),
        lambda reader: reader.day("web", NEXT_DAY),
        StoreReader.last_actions,
    ):
        here_says, there_says = map(ask, readers)
        assert here_says == there_says
        assert repr(here_says) == repr(there_says), "of the same types"
    for reader in readers:
        reader.close()


@pytest.mark.parametrize("table", TABLES)
def test_update_delete_and_truncate_are_refused_whoever_asks(filled_url: str, table: str) -> None:
    first = next(iter(APPEND_ONLY[TABLES.index(table)].columns)).name
    with psycopg.connect(filled_url, autocommit=True) as connection:
        before = connection.execute(f"SELECT * FROM {table} ORDER BY {first}").fetchall()
        assert before
        for replication_role in ("origin", "replica"):
            connection.execute(f"SET session_replication_role = {replication_role}")
            for statement in (
                f"UPDATE {table} SET {first} = {first}",
                f"DELETE FROM {table}",
                f"TRUNCATE {table}",
                f"INSERT INTO {table} SELECT * FROM {table} ON CONFLICT ({first}) DO UPDATE SET {first} = 9",
            ):
                with pytest.raises(psycopg.errors.RaiseException, match=f"^{table} is append-only"):
                    connection.execute(statement)
        assert connection.execute(f"SELECT * FROM {table} ORDER BY {first}").fetchall() == before


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        ("UPDATE integrity_snapshot SET error_events = 7 WHERE sequence = 1", "integrity_snapshot"),
        ("UPDATE event_aggregate SET events = events + 1 WHERE id = 1", "day_scan"),
        ("UPDATE guardrail_verdict SET contributors = '[]' WHERE id = 1", "integrity_snapshot"),
        ("DELETE FROM day_scan WHERE sequence = 3", "day_scan"),
        ("DELETE FROM incident_action", "incident_action"),
        ("UPDATE day_mark SET mark = 'special'", "day_mark"),
        ("TRUNCATE sign_in", "sign_in"),
        ("UPDATE incident_action SET day = 'infinity', acted_at = '4713-01-01 BC'", "incident_action"),
        ("UPDATE event_slice SET value = 'null' WHERE id = 1", "day_scan"),
        ("UPDATE alert SET settled_at = '99999-01-01' WHERE sequence = 1", "alert"),
        ("ALTER TABLE day_mark ALTER note DROP NOT NULL; UPDATE day_mark SET note = NULL", "day_mark"),
        ("INSERT INTO sign_in SELECT 3, at, '', '', '', '', '', '' FROM sign_in WHERE sequence = 2", "sign_in"),
    ],
)
def test_what_a_superuser_does_while_the_triggers_are_off_is_found(url: str, edit: str, found: str) -> None:
    fill(url)
    with psycopg.connect(url) as connection:
        for table in TABLES:
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        connection.execute(edit)
        for table in TABLES:
            for name in expected_triggers("postgresql", APPEND_ONLY[TABLES.index(table)]):
                connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    assert {finding.table for finding in SqlQualityStore(url).verify().findings} == {found}


def test_a_table_or_a_column_that_is_gone_does_not_end_the_search(url: str) -> None:
    fill(url)
    anchor = SqlQualityStore(url).anchor()
    assert SqlQualityStore(url).verify([anchor]).findings == ()
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE alert CASCADE")
        connection.execute("ALTER TABLE event_sample DROP COLUMN verdict")
        connection.execute("ALTER TABLE sign_in DISABLE TRIGGER USER")
        connection.execute("UPDATE sign_in SET outcome = 'signed_in' WHERE sequence = 2")
    found = {finding.table for finding in SqlQualityStore(url).verify([anchor]).findings}
    assert found == {"alert", "alert_state", "event_sample", "sign_in", "anchor"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DROP TRIGGER alert_no_truncate ON alert", {"alert_no_truncate"}),
        ("ALTER TABLE alert DISABLE TRIGGER alert_no_update", {"alert_no_update"}),
        ("ALTER TABLE alert ENABLE REPLICA TRIGGER alert_no_delete", {"alert_no_delete"}),
        ("ALTER TABLE alert DISABLE TRIGGER alert_no_update, ENABLE TRIGGER alert_no_update", {"alert_no_update"}),
        (
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            {name for table in APPEND_ONLY for name in expected_triggers("postgresql", table)},
        ),
        (
            "DROP VIEW current_snapshot; CREATE VIEW current_snapshot AS SELECT * FROM integrity_snapshot",
            {"current_snapshot"},
        ),
        (
            view_statement("current_snapshot")
            .replace("CREATE", "CREATE OR REPLACE")
            .replace("= snapshot.source", "= other.source"),
            {"current_snapshot"},
        ),
        (
            view_statement("trusted_day")
            .replace("CREATE", "CREATE OR REPLACE")
            .replace("<> 'unknown'", "<> 'unhealthy'"),
            {"trusted_day"},
        ),
        ("DROP VIEW alert_state", {"alert_state"}),
    ],
)
def test_a_trigger_that_is_missing_disabled_or_empty_is_found(url: str, change: str, found: set[str]) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(change)
    assert {finding.row for finding in SqlQualityStore(url).verify().findings} == found


@pytest.mark.slow
def test_processes_that_append_at_once_make_one_chain_and_one_revision_per_change(url: str) -> None:
    append_at_once(url, [(0, 5), (0, 5), (5, 5)])
    store = SqlQualityStore(url)
    days = [DAY + timedelta(days=n) for n in range(10)]
    assert [(scan.day, scan.revision) for scan in store.scans("web", days[0], days[-1])] == [(day, 1) for day in days]
    assert [(snapshot.day, snapshot.revision) for snapshot in store.snapshots("web", days[0], days[-1])] == [
        (day, 1) for day in days
    ]
    assert not tampering(store)


def test_a_row_that_was_rolled_back_leaves_no_gap_in_the_chain(url: str) -> None:
    store = SqlQualityStore(url)
    store.append_incident_action(make_action())
    for _ in range(3):
        with pytest.raises(StoreError):
            store.append_incident_action(make_action(note=None))
    store.append_incident_action(make_action())
    assert run(url, "SELECT sequence FROM incident_action ORDER BY sequence") == [(1,), (2,)]
    assert store.verify().findings == ()


def test_a_writer_waits_for_the_previous_one_and_then_sees_what_it_wrote(url: str) -> None:
    store, other = SqlQualityStore(url), SqlQualityStore(url)
    with ThreadPoolExecutor(1) as pool:
        with store._writing() as connection:
            connection.execute(text("SELECT 1"))
            late = pool.submit(other.append_scan, "web", make_scan(), (), NOW)
            waiting = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
            )
            while connection.scalar(text(waiting)) == 0:
                connection.execute(text("SELECT pg_stat_clear_snapshot(), pg_sleep(0.02)"))
            connection.execute(text("INSERT INTO chain_length VALUES ('day_scan', 41)"))
        late.result()
    assert run(url, "SELECT sequence FROM day_scan") == [(42,)]


@pytest.mark.parametrize(
    "statement",
    [
        insert(incident_action).values(sequence=1, source="", day=DAY, content_hash=""),
        update(staff_account).values(name="mallory"),
        text("CREATE TABLE mine (id INTEGER)"),
        text("DROP TRIGGER alert_no_update ON alert"),
    ],
    ids=["insert", "update", "create", "drop"],
)
def test_a_reader_is_refused_every_write_even_if_it_declares_itself_a_writer(url: str, statement: Any) -> None:
    engine = open_read_only_engine(url)

    def write() -> None:
        with transaction(engine, writes=True) as connection:
            connection.execute(statement)

    with pytest.raises(StoreError, match=r"that can be read, but it says: .* in a read-only transaction"):
        write()
    engine.dispose()


def test_all_parts_of_an_answer_see_one_moment_and_no_writer_waits_for_it(url: str) -> None:
    store = SqlQualityStore(url)
    store.append_incident_action(make_action())
    engine = open_read_only_engine(url)
    with transaction(engine, writes=False) as connection:
        count = text("SELECT count(*) FROM incident_action")
        assert connection.scalar(count) == 1
        store.append_incident_action(make_action())
        assert connection.scalar(count) == 1
    engine.dispose()


def test_the_version_changes_with_every_commit_to_the_store_and_with_nothing_else(
    url: str, reader: StoreReader, postgresql: PostgreSQL
) -> None:
    store, staff = SqlQualityStore(url), StaffStore(url)
    seen = [reader.version()]
    account = staff.add_account("ada", "hash", NOW)
    for write in (
        lambda: store.append_scan("web", make_scan(), (), NOW),
        lambda: store.append_snapshot(make_snapshot(), VERDICTS),
        lambda: store.append_incident_action(make_action()),
        lambda: staff.record(make_sign_in()),
        lambda: staff.add_token(account.id, "cron", "fingerprint", NOW, 365),
        lambda: staff.revoke_token(1, None, NOW),
        lambda: staff.open_session(account.id, "id", "password", NOW, NOW + timedelta(hours=1)),
        lambda: staff.end_session("id", NOW),
        lambda: staff.disable("ada", NOW),
        lambda: staff.enable("ada", NOW),
        lambda: staff.secret(NOW),
        lambda: run(url, "UPDATE staff_account SET name = name"),
        lambda: run(url, "DELETE FROM staff_session"),
    ):
        write()
        seen.append(reader.version())
        assert staff.version() == seen[-1]
    assert len(set(seen)) == len(seen)
    run(url, "CREATE TABLE of_others (id INTEGER)")
    run(postgresql.new_database(), "CREATE TABLE of_others (id INTEGER)")
    reader.journal()
    assert reader.version() == seen[-1]
    staff.close()


def test_a_server_that_ended_all_connections_is_asked_again(url: str, reader: StoreReader) -> None:
    store = SqlQualityStore(url)
    store.append_snapshot(make_snapshot(), VERDICTS)
    before = reader.version(), reader.journal()
    with psycopg.connect(make_url(url).set(database="postgres").render_as_string(hide_password=False)) as connection:
        name = make_url(url).database
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    assert (reader.version(), reader.journal()) == before


def complaint_of(ask: Callable[[], object]) -> str:
    """The sentence that is reported; a password is nowhere, not even in the chain of exceptions."""
    with pytest.raises(StoreError) as caught:
        ask()
    shown = "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in shown
    assert str(caught.value).count("\n") == 0
    return str(caught.value)


def everybody(url: str) -> list[Callable[[], object]]:
    reader, staff = StoreReader(url), StaffStore(url)
    return [lambda: migrate(url), SqlQualityStore(url).verify, reader.journal, reader.version, staff.accounts]


def test_a_server_that_cannot_be_reached_is_named_in_a_sentence_without_the_password() -> None:
    port = free_port()
    for ask in everybody(f"postgresql://ada:{PASSWORD}@127.0.0.1:{port}/db?sslpassword={PASSWORD}"):
        sentence = complaint_of(ask)
        assert sentence.startswith(f"The store postgresql://ada@127.0.0.1:{port}/db must be a database that can be re")
        assert "refused" in sentence


def test_a_wrong_password_and_a_database_that_is_not_there_are_reported_too(postgresql: PostgreSQL) -> None:
    wrong = make_url(postgresql.url()).set(password=PASSWORD).render_as_string(hide_password=False)
    assert "password authentication failed" in complaint_of(SqlQualityStore(wrong).verify)
    assert 'database "absent" does not exist' in complaint_of(SqlQualityStore(postgresql.url("absent")).verify)


def test_a_store_that_was_not_migrated_or_is_newer_says_what_to_do(postgresql: PostgreSQL, url: str) -> None:
    empty = postgresql.new_database()
    reader = StoreReader(empty)
    for ask in (SqlQualityStore(empty).verify, reader.journal):
        assert complaint_of(ask).endswith(
            f"must have schema {SCHEMA_REVISION}, but has none; run telemetry-quality migrate."
        )
    migrate(empty)
    assert reader.journal() == []
    reader.close()
    run(url, "UPDATE alembic_version SET version_num = '9999'")
    for use in (SqlQualityStore(url).verify, lambda: migrate(url)):
        assert "install the telemetry-quality version that made it" in complaint_of(use)


def test_an_error_of_the_database_names_no_value(url: str) -> None:
    staff = StaffStore(url)
    ada = staff.add_account("ada", "hash", NOW)
    id_hash = fingerprint("its session")
    staff.open_session(ada.id, id_hash, "password", NOW, NOW + timedelta(hours=1))
    with pytest.raises(StoreError, match="duplicate key value violates unique constraint") as failed:
        staff.open_session(ada.id, id_hash, "password", NOW, NOW + timedelta(hours=1))
    shown = "".join(traceback.format_exception(failed.value))
    assert "INSERT INTO staff_session" in shown
    assert id_hash not in shown
    staff.close()


def test_a_missing_driver_is_reported_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    sentence = complaint_of(lambda: open_engine(f"postgresql://ada:{PASSWORD}@host/db"))
    assert sentence.endswith("run pip install 'telemetry-quality[postgresql]'.")


def test_the_server_sees_who_is_connected_and_the_url_may_say_otherwise(url: str) -> None:
    named = make_url(url).update_query_dict({"application_name": "mine"}).render_as_string(hide_password=False)
    for store_url, expected in ((url, "telemetry-quality"), (named, "mine")):
        assert run(store_url, "SELECT current_setting('application_name')") == [(expected,)]


def test_instants_are_the_same_whatever_zone_the_server_keeps(url: str) -> None:
    store = SqlQualityStore(url)
    run(url, f"ALTER ROLE CURRENT_USER IN DATABASE {make_url(url).database} SET timezone = 'Asia/Tokyo'")
    store.append_snapshot(make_snapshot(), VERDICTS)
    reader = StoreReader(url)
    (row,) = reader.journal()
    assert (row.computed_at, row.computed_at.tzinfo) == (make_snapshot().computed_at, UTC)
    assert not tampering(store)
    reader.close()


def test_only_a_database_beside_the_process_may_be_asked_on_an_event_loop(tmp_path: Path, url: str) -> None:
    assert not database_at(url).is_local
    assert database_at(f"sqlite:///{tmp_path / 'quality.db'}").is_local


def test_the_roles_of_the_docs_do_their_own_part_and_no_more(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    for role in ("QUALITY_OWNER", "QUALITY_RUNS", "QUALITY_DASHBOARD", "DAGSTER"):
        monkeypatch.setenv(f"{role}_PASSWORD", f"it's {role}")
    script = Path(__file__).parents[2] / "deploy" / "databases.sql"
    options = ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", str(script)]
    done = subprocess.run(
        [postgresql.programs / "psql", *options, postgresql.url()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    server = make_url(postgresql.url("quality"))
    owner, runs, dashboard = (
        server.set(username=name, password=f"it's {name.upper()}").render_as_string(hide_password=False)
        for name in ("quality_owner", "quality_runs", "quality_dashboard")
    )
    with pytest.raises(StoreError, match="permission denied for schema public"):
        migrate(runs)
    migrate(owner)
    with pytest.raises(StoreError, match="permission denied for table alembic_version"):
        measure(runs)
    with pytest.raises(StoreError, match="nobody"):
        grant(owner, "quality_runs", "nobody")
    run(owner, "CREATE TABLE theirs (id INTEGER)")
    run(owner, "CREATE VIEW also_theirs AS SELECT 1")
    run(owner, "GRANT SELECT ON theirs TO quality_runs")
    for _ in range(2):
        grant(owner, "quality_runs", "quality_dashboard")
    assert run(runs, "SELECT * FROM theirs") == []
    with pytest.raises(StoreError, match="permission denied for view also_theirs"):
        run(runs, "SELECT * FROM also_theirs")

    measure(runs)
    say(dashboard)
    staff = StaffStore(dashboard)
    account = staff.add_account("ada", "hash", NOW)
    staff.open_session(account.id, "id", "password", NOW, NOW + timedelta(hours=1))
    staff.disable("ada", NOW)
    staff.close()
    for url in (runs, dashboard):
        assert SqlQualityStore(url).verify().findings == ()
    StoreReader(dashboard).close()
    for url, statement, rejection in (
        *((runs, f"SELECT * FROM {stored.name}", f"permission denied for table {stored.name}") for stored in MUTABLE),
        (runs, "INSERT INTO staff_account (name) VALUES ('eve')", "permission denied for table staff_account"),
        *(
            (url, f"INSERT INTO {stored.name} DEFAULT VALUES", f"permission denied for table {stored.name}")
            for url, tables in ((runs, SAID_BY_PEOPLE), (dashboard, MEASURED))
            for stored in tables
        ),
        *(
            (url, statement, rejection)
            for url in (runs, dashboard)
            for statement, rejection in (
                ("DELETE FROM alert", "permission denied for table alert"),
                ("DELETE FROM chain_length", "permission denied for table chain_length"),
                ("ALTER TABLE alert DISABLE TRIGGER USER", "must be owner of table alert"),
                ("DROP TRIGGER alert_no_delete ON alert", "must be owner of relation alert"),
                ("TRUNCATE alert", "permission denied for table alert"),
                ("SET session_replication_role = replica", "permission denied to set parameter"),
                ("CREATE TABLE mine (id INTEGER)", "permission denied for schema public"),
            )
        ),
    ):
        with pytest.raises(StoreError, match=rejection):
            run(url, statement)


def test_roles_are_of_postgresql(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"Roles require a store in PostgreSQL, but .*quality\.db was found"):
        grant(f"sqlite:///{tmp_path / 'quality.db'}", "runs", "dashboard")
