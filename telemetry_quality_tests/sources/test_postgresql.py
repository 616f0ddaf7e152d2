"""The PostgreSQL connector on a real server: read-only, one point in time, exact times, faults in plain words."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url, text

from telemetry_quality.core.days import day_window, days_between
from telemetry_quality.core.events import Arrivals, DayScan, UnreadableDay
from telemetry_quality.core.signals import SignalCatalogue
from telemetry_quality.errors import SourceError, SourceUnavailableError
from telemetry_quality.sources import postgresql as connector
from telemetry_quality.sources.aggregates import aggregate_query
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality.sources.query import day_ranges_of
from telemetry_quality_tests.builders import DAY, SCHEMA
from telemetry_quality_tests.servers import free_port, running_standby

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry_quality.core.event_schema import EventSchema
    from telemetry_quality_tests.servers import PostgreSQL

WINDOW = day_window(DAY, ZoneInfo("UTC"))
NOON = "2026-03-10 12:00:00+00"
NUMBERS = count(1)


class Table:
    """A new table with one event per time."""

    def __init__(
        self, server: PostgreSQL, times: Sequence[object] = (NOON, NOON, NOON), time_type: str = "TIMESTAMPTZ"
    ) -> None:
        self.server = server
        self.name = f"events_{next(NUMBERS)}"
        self.do(
            f"CREATE TABLE {self.name} (event_id TEXT, occurred_at {time_type}, event_name TEXT, service_version TEXT,"
            " is_error BOOLEAN)"
        )
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {self.name} VALUES (%s, %s, 'page.view', '1.0', false)",
                [(f"e{n}", at) for n, at in enumerate(times)],
            )

    def do(self, statement: str) -> None:
        with self.server.connect() as connection:
            connection.execute(statement.replace("{events}", self.name).encode())

    def source(self, schema: EventSchema = SCHEMA, **settings: Any) -> PostgresSource:
        return PostgresSource(self.server.url(), settings.pop("table", self.name), schema, **settings)


def read(source: PostgresSource) -> DayScan:
    (answer,) = source.scan_days([WINDOW], 100)
    assert isinstance(answer, DayScan), answer
    return answer


def hours(source: PostgresSource) -> dict[int, int]:
    return {hour: totals.events for hour, totals in read(source).aggregates.by_hour().items()}


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM {}", "DROP TABLE {}", "CREATE TABLE more (a int)", "UPDATE {} SET is_error = true", "VACUUM {}"],
)
def test_nothing_can_be_written_even_with_the_privilege_to_write(postgresql: PostgreSQL, statement: str) -> None:
    table = Table(postgresql)
    with pytest.raises(SourceError, match=r"\(25\d\d\d\)"), table.source()._client() as client, client.transaction():
        client.connection.execute(text(statement.format(table.name)))
    assert read(table.source()).aggregates.totals().events == 3


def test_a_scan_sees_one_moment_and_its_settings_end_with_it(postgresql: PostgreSQL) -> None:
    table = Table(postgresql)
    source = table.source(time_limit_seconds=7)
    names = (
        *("transaction_isolation", "transaction_read_only", "statement_timeout", "lock_timeout"),
        *("max_parallel_workers_per_gather", "TimeZone", "application_name"),
    )
    with source._client() as client:
        with client.transaction():
            shown = [client.connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]
            (day_range,) = day_ranges_of([WINDOW])
            events = client.event_table(table.name, SCHEMA, "")
            table.do("DELETE FROM {events}")
            assert [tuple(row) for row in client.execute(events.count_query(day_range))] == [(0, 3)]
        with client.transaction():
            assert client.execute(events.count_query(day_range)) == []
        with client.connection.begin():
            assert client.connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "0"
    assert shown == ["repeatable read", "on", "7s", "2s", "0", "UTC", "telemetry-quality"]


@pytest.mark.parametrize(
    ("given", "used"), [("64kB", "32MB"), ("4MB", "32MB"), ("32MB", "32MB"), ("33MB", "33MB"), ("1GB", "1GB")]
)
def test_a_scan_may_use_at_least_so_much_memory_and_what_the_operator_gives_it(
    postgresql: PostgreSQL, given: str, used: str
) -> None:
    with Table(postgresql).source()._client() as client:
        with client.connection.begin():
            client.connection.exec_driver_sql(f"SET work_mem = '{given}'")
        with client.transaction():
            assert client.connection.exec_driver_sql("SHOW work_mem").scalar_one() == used
        with client.connection.begin():
            assert client.connection.exec_driver_sql("SHOW work_mem").scalar_one() == given


def test_no_insert_waits_for_a_scan_nor_a_scan_for_an_insert(postgresql: PostgreSQL) -> None:
    table = Table(postgresql)
    with table.source()._client() as client, client.transaction(), postgresql.connect() as writer:
        events = client.event_table(table.name, SCHEMA, "")
        (day_range,) = day_ranges_of([WINDOW])
        client.execute(aggregate_query(events, day_range))
        writer.execute("SET lock_timeout = '1s'")
        with writer.transaction():
            writer.execute(f"INSERT INTO {table.name} VALUES ('new', '{NOON}', 'a', '1', false)")
            client.execute(aggregate_query(events, day_range))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            assert writer.execute(waiting).fetchone() == (0,)
            ours = "SELECT mode FROM pg_locks WHERE relation = %s::regclass AND pid <> pg_backend_pid()"
            assert set(writer.execute(ours, [table.name])) == {("AccessShareLock",)}


def test_a_table_locked_by_another_session_is_only_temporarily_unavailable(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "LOCK_SECONDS", 0.1)
    table = Table(postgresql)
    with postgresql.connect() as other, other.transaction():
        other.execute(f"ALTER TABLE {table.name} ADD COLUMN more int")
        with pytest.raises(SourceUnavailableError) as caught:
            table.source().count_days([WINDOW])
    assert caught.value.reason_code == "SOURCE_LOCKED"
    assert table.source().count_days([WINDOW]) == {DAY: 3}


SLOW = "CREATE VIEW slow_{0} AS SELECT {0}.* FROM {0}, (SELECT pg_sleep(30) OFFSET 0) AS nap"


def test_a_query_that_takes_too_long_is_ended_by_the_server_and_makes_the_day_unreadable(
    postgresql: PostgreSQL,
) -> None:
    table = Table(postgresql)
    table.do(SLOW.format(table.name))
    source = table.source(table=f"slow_{table.name}", time_limit_seconds=0.2)
    (answer,) = source.scan_days([WINDOW], 10)
    assert isinstance(answer, UnreadableDay)
    assert answer.reason_code == "TIME_LIMIT"
    assert "must answer within 0.2 s" in answer.reason


def asleep(server: PostgreSQL) -> list[int]:
    with server.connect() as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'telemetry-quality' AND state = 'active'"
        return [pid for (pid,) in connection.execute(query)]


def wait_until(found: Any) -> Any:
    deadline = time.monotonic() + 20
    while not (answer := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


PROGRAM = """
import sys
from datetime import date
from zoneinfo import ZoneInfo
from telemetry_quality.core.days import day_window
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.postgresql import PostgresSource
from telemetry_quality_tests.builders import DAY, SCHEMA
try:
    PostgresSource(sys.argv[1], sys.argv[2], SCHEMA).count_days([day_window(DAY, ZoneInfo("UTC"))])
except SourceError as error:
    sys.exit(f"{type(error).__name__} {error.reason_code}")
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Ctrl-C", "pg_terminate_backend", "pg_cancel_backend"])
def test_a_scan_that_is_stopped_from_outside_ends_at_once_and_stays_on_no_server(
    postgresql: PostgreSQL, how: str
) -> None:
    table = Table(postgresql)
    table.do(SLOW.format(table.name))
    command = [sys.executable, "-c", PROGRAM, postgresql.url(), f"slow_{table.name}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        (pid,) = wait_until(lambda: asleep(postgresql))
        if how == "Ctrl-C":
            process.send_signal(signal.SIGINT)
        else:
            with postgresql.connect() as connection:
                connection.execute(f"SELECT {how}({pid})")
        _, errors = process.communicate(timeout=20)
    wait_until(lambda: not asleep(postgresql))
    expected = {
        "Ctrl-C": "KeyboardInterrupt",
        "pg_terminate_backend": "SourceUnavailableError SOURCE_UNREACHABLE",
        "pg_cancel_backend": "SourceUnavailableError QUERY_CANCELLED",
    }
    assert errors.strip().splitlines()[-1] == expected[how]


def test_a_server_that_is_away_is_unavailable_and_its_password_is_not_shown() -> None:
    url = f"postgresql://admin:hunter2@127.0.0.1:{free_port()}/db?password=hunter3"
    with pytest.raises(SourceUnavailableError, match=r"The database 'db' on 127\.0\.0\.1 must be reachable") as caught:
        PostgresSource(url, "events", SCHEMA).count_days([WINDOW])
    assert_shows_no_password(caught.value)


@pytest.mark.parametrize("change", [{"password": "hunter2"}, {"database": "absent"}, {"username": "nobody"}], ids=str)
def test_a_server_that_refuses_the_login_is_not_retried(postgresql: PostgreSQL, change: dict[str, Any]) -> None:
    url = make_url(postgresql.url()).set(**change).render_as_string(hide_password=False)
    with pytest.raises(SourceError, match="correct the url") as caught:
        PostgresSource(url, "events", SCHEMA).count_days([WINDOW])
    assert not isinstance(caught.value, SourceUnavailableError)
    assert caught.value.reason_code == "CONNECTION_REFUSED"
    assert_shows_no_password(caught.value)
    assert postgresql.password not in str(caught.value)


def assert_shows_no_password(error: BaseException) -> None:
    assert "hunter" not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.slow
def test_a_server_without_free_connections_is_only_temporarily_unavailable(postgresql: PostgreSQL) -> None:
    table = Table(postgresql)
    role, password = f"reader_{next(NUMBERS)}", "secret"
    table.do(f"CREATE ROLE {role} LOGIN PASSWORD '{password}' CONNECTION LIMIT 1; GRANT SELECT ON {{events}} TO {role}")
    url = make_url(postgresql.url()).set(username=role, password=password).render_as_string(hide_password=False)
    with psycopg.connect(url), pytest.raises(SourceUnavailableError, match="too many connections"):
        PostgresSource(url, table.name, SCHEMA).count_days([WINDOW])
    wait_until(lambda: PostgresSource(url, table.name, SCHEMA).count_days([WINDOW]) == {DAY: 3})


def test_a_user_who_may_not_read_the_table_is_advised_to_grant_select(postgresql: PostgreSQL) -> None:
    table = Table(postgresql)
    role, password = f"reader_{next(NUMBERS)}", "secret"
    table.do(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    url = make_url(postgresql.url()).set(username=role, password=password).render_as_string(hide_password=False)
    (answer,) = PostgresSource(url, table.name, SCHEMA).scan_days([WINDOW], 1)
    assert isinstance(answer, UnreadableDay)
    assert answer.reason_code == "TABLE_MISSING"
    assert "grant SELECT" in answer.reason
    table.do(f"GRANT SELECT ON {{events}} TO {role}")
    assert PostgresSource(url, table.name, SCHEMA).count_days([WINDOW]) == {DAY: 3}


class Hidden(Table):
    """Three events, of which a policy hides two from everybody but the table's owner."""

    def __init__(self, server: PostgreSQL) -> None:
        super().__init__(server)
        self.role = f"reader_{next(NUMBERS)}"
        self.do(
            f"CREATE ROLE {self.role} LOGIN PASSWORD 'secret'; GRANT SELECT ON {{events}} TO {self.role};"
            " ALTER TABLE {events} ENABLE ROW LEVEL SECURITY;"
            " CREATE POLICY own ON {events} USING (event_id = 'e0')"
        )

    def seen_by_role(self, **settings: Any) -> PostgresSource:
        url = make_url(self.server.url()).set(username=self.role, password="secret")
        return PostgresSource(
            url.render_as_string(hide_password=False), settings.pop("table", self.name), SCHEMA, **settings
        )


def assert_rows_are_not_hidden(source: PostgresSource) -> None:
    for answer in (*source.scan_days([WINDOW], 10), source.count_days([WINDOW])[DAY]):
        assert isinstance(answer, UnreadableDay), answer
        assert answer.reason_code == "ROW_SECURITY"
        assert "must show all rows" in answer.reason
        assert "BYPASSRLS" in answer.reason


def test_rows_that_a_policy_hides_make_the_day_unreadable_instead_of_smaller(postgresql: PostgreSQL) -> None:
    table = Hidden(postgresql)
    assert_rows_are_not_hidden(table.seen_by_role())
    table.do(f"ALTER ROLE {table.role} SET row_security = on; ALTER ROLE {table.role} SET lc_messages = 'C'")
    assert_rows_are_not_hidden(table.seen_by_role())
    table.do(f"ALTER ROLE {table.role} BYPASSRLS")
    assert table.seen_by_role().count_days([WINDOW]) == {DAY: 3}


def test_rows_that_a_policy_hides_from_the_owner_of_a_view_are_not_left_out(postgresql: PostgreSQL) -> None:
    table = Hidden(postgresql)
    view = f"all_{table.name}"
    table.do(f"CREATE VIEW {view} AS SELECT * FROM {{events}}; GRANT SELECT ON {view} TO {table.role}")
    assert table.seen_by_role(table=view).count_days([WINDOW]) == {DAY: 3}
    owner = f"owner_{next(NUMBERS)}"
    table.do(f"CREATE ROLE {owner}; GRANT SELECT ON {{events}} TO {owner}; ALTER VIEW {view} OWNER TO {owner}")
    assert_rows_are_not_hidden(table.seen_by_role(table=view))


def test_rows_that_a_forced_policy_hides_from_the_tables_owner_are_not_left_out(postgresql: PostgreSQL) -> None:
    table = Hidden(postgresql)
    table.do(f"ALTER TABLE {{events}} OWNER TO {table.role}")
    assert table.seen_by_role().count_days([WINDOW]) == {DAY: 3}
    table.do("ALTER TABLE {events} FORCE ROW LEVEL SECURITY")
    assert_rows_are_not_hidden(table.seen_by_role())


def test_signals_that_a_policy_hides_are_not_taken_for_unknown(postgresql: PostgreSQL) -> None:
    table = Hidden(postgresql)
    source = table.seen_by_role(catalogue=SignalCatalogue(table=table.name, column="event_name"))
    with pytest.raises(SourceError) as caught:
        source.read_signals()
    assert caught.value.reason_code == "ROW_SECURITY"


def test_a_missing_table_is_named(postgresql: PostgreSQL) -> None:
    with pytest.raises(SourceError, match="requires the table 'absent'") as caught:
        PostgresSource(postgresql.url(), "absent", SCHEMA).count_days([WINDOW])
    assert caught.value.reason_code == "TABLE_MISSING"


def test_server_messages_about_values_are_not_repeated(postgresql: PostgreSQL) -> None:
    table = Table(postgresql)
    table.do("UPDATE {events} SET event_name = 'a secret'")
    table.do("CREATE VIEW cast_{events} AS SELECT *, CAST(event_name AS int) AS number FROM {events}")
    source = table.source(replace(SCHEMA, is_error="number"), table=f"cast_{table.name}")
    (answer,) = source.scan_days([WINDOW], 1)
    assert isinstance(answer, UnreadableDay)
    assert answer.reason_code == "QUERY_FAILED"
    assert "secret" not in answer.reason


def test_times_are_exact_to_the_microsecond(postgresql: PostgreSQL) -> None:
    times = [
        *("2026-03-10 00:00:00+00", "2026-03-10 00:59:59.999999+00", "2026-03-10 01:00:00+00"),
        *("2026-03-10 23:59:59.999999+00", "2026-03-11 00:00:00+00", "2026-03-09 23:59:59.999999+00"),
        *("infinity", "-infinity", None, "294276-12-31 23:59:59.999999+00", "4714-11-24 00:00:00+00 BC"),
    ]
    assert hours(Table(postgresql, times).source()) == {0: 2, 1: 1, 23: 1}


def test_a_timestamp_without_a_zone_is_utc_whatever_the_zone_of_the_server_or_the_user(postgresql: PostgreSQL) -> None:
    table = Table(postgresql, ["2026-03-10 00:00:00", "2026-03-10 23:59:59.999999"], "TIMESTAMP")
    name = make_url(url := postgresql.new_database()).database
    table.do(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Kolkata'")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE events AS SELECT 'e' AS event_id, TIMESTAMP '2026-03-10 00:30:00' AS occurred_at,"
            " 'page.view' AS event_name, '1.0' AS service_version, false AS is_error"
        )
    assert hours(table.source()) == {0: 1, 23: 1}
    assert hours(PostgresSource(url, "events", SCHEMA)) == {0: 1}


def test_infinite_and_far_arrivals_are_counted_as_what_they_say(postgresql: PostgreSQL) -> None:
    table = Table(postgresql, ["infinity", "-infinity", "294276-12-31 23:59:59+00", NOON, None])
    table.do(f"ALTER TABLE {{events}} ADD COLUMN arrived TIMESTAMPTZ DEFAULT '{NOON}'")
    for arrived in ("infinity", "-infinity", "294276-12-31 23:59:59+00"):
        table.do(f"INSERT INTO {{events}} VALUES ('x', '{NOON}', 'page.view', '1.0', false, '{arrived}')")
    scan = read(table.source(replace(SCHEMA, observed_at="arrived")))
    assert scan.arrivals == Arrivals((2, *[0] * 167, 2), 5, 2, 1, 1)
    assert scan.aggregates.totals().late_events == 2


GOOD_TIMES = [
    *("2026-03-10 23:59:59", "2026-03-10T23:59:59", "2026-03-10 23:59:59.999999", "2026-03-10T23:59:59Z"),
    *("2026-03-10T23:59:59.9+00:00", "2026-03-11T13:59:59+14:00", "2026-03-10 11:59:59-12:00"),
    *("2026-03-11 00:59:59.999999999+01:00", "2026-03-11T00:59+0100", "2026-03-11 00:59:59,5+01"),
]
NO_TIMES = [
    *(None, "", "yesterday", "now", "infinity", "epoch", "2026-03-10 25:00:00", "2026-03-10x", "20260310"),
    *("2026-03-10 12:60:00", "2026-03-10 12:00:00+16:00", "2026-03-10T12:00:00 America/New_York", "2026-03-09 12:00\n"),
    *("2026-02-29", "2026-02-30", "2026-04-31", "1900-02-29", "0000-01-01", "2026-13-01", "2026-00-10", "2026-03-00"),
]


def test_every_way_to_write_a_time_as_text_means_the_same_instant(postgresql: PostgreSQL) -> None:
    assert hours(Table(postgresql, GOOD_TIMES, "TEXT").source()) == {23: len(GOOD_TIMES)}


def test_text_that_is_not_a_time_belongs_to_no_day_and_counts_as_undated_on_arrival(postgresql: PostgreSQL) -> None:
    far = ["0001-01-01 00:00:00", "9999-12-31 23:59:59", "0001-01-01T00:00:00+14:00", "2024-02-29", "2000-02-29"]
    table = Table(postgresql, [*NO_TIMES, *far, NOON], "TEXT")
    table.do(f"ALTER TABLE {{events}} ADD COLUMN arrived TEXT DEFAULT '{NOON}'")
    scan = read(table.source(replace(SCHEMA, observed_at="arrived")))
    assert scan.aggregates.totals().events == 1
    assert scan.arrivals == Arrivals((1,), len(NO_TIMES) + 6, 1, 4, len(NO_TIMES))


@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_an_integer_time_is_read_exactly_in_its_unit(postgresql: PostgreSQL, unit: str, per_second: int) -> None:
    start = int(datetime(2026, 3, 10, tzinfo=UTC).timestamp()) * per_second
    end = start + 86_400 * per_second
    table = Table(postgresql, [start - 1, start, end - 1, end], "BIGINT")
    assert hours(table.source(replace(SCHEMA, time_unit=unit))) == {0: 1, 23: 1}


@pytest.mark.parametrize("time_type", ["DATE", "TIME", "NUMERIC", "DOUBLE PRECISION"])
def test_a_column_without_instants_is_refused_rather_than_read_as_no_events(
    postgresql: PostgreSQL, time_type: str
) -> None:
    with pytest.raises(SourceError, match="occurred_at requires ") as caught:
        Table(postgresql, [], time_type).source().count_days([WINDOW])
    assert caught.value.reason_code == "COLUMN_TYPE"


def test_every_column_type_can_be_a_name_and_domains_act_as_base_types(postgresql: PostgreSQL) -> None:
    table = Table(postgresql)
    mood, domain = f"mood_{table.name}", f"short_{table.name}"
    table.do(f"CREATE TYPE {mood} AS ENUM ('good', 'bad'); CREATE DOMAIN {domain} AS VARCHAR(9)")
    table.do(
        f"ALTER TABLE {{events}} ADD a_uuid uuid DEFAULT '00000000-0000-0000-0000-00000000000a',"
        f" ADD an_enum {mood} DEFAULT 'bad', ADD a_domain {domain} DEFAULT ' ',"
        " ADD a_json jsonb DEFAULT '{\"a\": 1}',"
        " ADD a_char char(5) DEFAULT 'x', ADD a_small smallint DEFAULT 1"
    )
    schema = replace(
        SCHEMA,
        event_id="a_uuid",
        event_name="a_json",
        service_version="a_char",
        is_error="an_enum = 'bad' AND a_uuid = '0000000000000000000000000000000a' AND a_small IN (1, 3000000000)",
        critical_fields=("a_domain", "an_enum"),
        dimensions=("an_enum",),
    )
    scan = read(table.source(schema))
    (row,) = scan.aggregates.rows
    assert (row.event_name, row.service_version, row.errors, row.missing_critical) == ('{"a": 1}', "x", 3, (3, 0))
    assert {event.event_id for event in scan.sample} == {"00000000-0000-0000-0000-00000000000a"}
    kinds = {name: column.kind.value for name, column in table.source(schema).columns().items()}
    assert (kinds["a_domain"], kinds["a_small"], kinds["an_enum"]) == ("text", "integer", "other")


def test_texts_are_compared_and_ordered_by_code_point_whatever_the_collation(postgresql: PostgreSQL) -> None:
    table = Table(postgresql)
    collation = f"no_case_{table.name}"
    table.do(
        f"CREATE COLLATION {collation} (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        f" ALTER TABLE {{events}} ALTER event_name TYPE text COLLATE {collation};"
        " UPDATE {events} SET event_name = (ARRAY['b', 'B', 'a'])[substr(event_id, 2)::int + 1]"
    )
    assert [row.event_name for row in read(table.source()).aggregates.rows] == ["B", "a", "b"]


@pytest.mark.parametrize("name", ["my events", "it's", 'say "hi"', "ünï", "select", "x; DROP TABLE events", "Upper"])
def test_a_table_may_have_any_name_in_any_schema(postgresql: PostgreSQL, name: str) -> None:
    table = Table(postgresql)
    schema = f"Schema {table.name}"
    with postgresql.connect() as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        rename = sql.SQL("CREATE TABLE {} AS SELECT * FROM {}")
        connection.execute(rename.format(sql.Identifier(schema, name), sql.Identifier(table.name)))
    assert read(table.source(table=f"{schema}.{name}")).aggregates.totals().events == 3


def test_like_is_case_sensitive_as_on_other_engines(postgresql: PostgreSQL) -> None:
    schema = replace(SCHEMA, is_error="event_name LIKE 'PAGE%'")
    assert read(Table(postgresql).source(schema)).aggregates.totals().errors == 0


def test_each_day_of_a_range_is_a_scan_and_a_moment_of_its_own(postgresql: PostgreSQL) -> None:
    windows = [day_window(day, ZoneInfo("UTC")) for day in days_between(DAY, date(2026, 3, 14))]
    assert [len(day_range.windows) for day_range in day_ranges_of(windows, PostgresSource.maximum_days)] == [1] * 5


MANY = """
CREATE TABLE {events} (event_id text, occurred_at timestamptz, event_name text, service_version text,
                       is_error boolean, payload text) %s;
%s
INSERT INTO {events} SELECT n::text, TIMESTAMPTZ '2026-03-08 00:00:00+00' + n * INTERVAL '1 minute', 'page.view', '1.0',
                            false, repeat('x', 900) FROM generate_series(0, 14399) AS numbers(n) ORDER BY %s;
ANALYZE {events}
"""


def large_table(server: PostgreSQL, partitioned: str = "", partitions: str = "", order: str = "numbers.n") -> Table:
    """Ten days with an event per minute, 14 MB."""
    table = Table(server, [])
    table.do("DROP TABLE {events}")
    table.do(MANY % (partitioned, partitions, order))
    return table


def plan_of(table: Table) -> str:
    (day_range,) = day_ranges_of([WINDOW])
    with table.source()._client() as client, client.transaction():
        events = client.event_table(table.name, SCHEMA, "")
        return str(client.execute(connector._Explain(aggregate_query(events, day_range)))[0][0])


def test_a_day_partitioned_table_is_pruned_to_the_days_partition(postgresql: PostgreSQL) -> None:
    days = range(8, 18)
    partitions = "".join(
        f"CREATE TABLE {{events}}_{day} PARTITION OF {{events}}"
        f" FOR VALUES FROM ('2026-03-{day:02} 00:00:00+00') TO ('2026-03-{day + 1:02} 00:00:00+00');"
        for day in days
    )
    table = large_table(postgresql, "PARTITION BY RANGE (occurred_at)", partitions)
    plan = plan_of(table)
    assert [day for day in days if f"{table.name}_{day}'" in plan] == [10]
    assert table.source().full_scan(WINDOW) is None
    assert table.source().count_days([WINDOW]) == {DAY: 1440}


@pytest.mark.parametrize(("order", "method"), [("numbers.n", "brin"), ("md5(n::text)", "btree")])
def test_a_full_scan_for_a_day_is_found_and_the_proposed_index_ends_it(
    postgresql: PostgreSQL, order: str, method: str
) -> None:
    table = large_table(postgresql, order=order)
    found = table.source().full_scan(WINDOW)
    assert found is not None
    assert found.relation == f"public.{table.name}"
    expected = f'CREATE INDEX CONCURRENTLY ON "public"."{table.name}" USING {method} ("occurred_at");'
    assert found.create_index == expected
    table.do(found.create_index)
    assert table.source().full_scan(WINDOW) is None
    assert ("Bitmap Index Scan" if method == "brin" else "Index") in plan_of(table)


def test_full_scans_of_a_small_table_and_of_one_that_is_mostly_the_day_are_fine(postgresql: PostgreSQL) -> None:
    assert Table(postgresql).source().full_scan(WINDOW) is None
    table = large_table(postgresql)
    table.do(f"UPDATE {{events}} SET occurred_at = '{NOON}' WHERE event_id::int > 5000; ANALYZE {{events}}")
    assert table.source().full_scan(WINDOW) is None


def test_a_full_scan_of_a_view_is_found_even_if_its_time_is_not_a_column(postgresql: PostgreSQL) -> None:
    table = large_table(postgresql)
    table.do("ALTER TABLE {events} RENAME occurred_at TO at")
    table.do("CREATE VIEW seen_{events} AS SELECT *, at + INTERVAL '1 hour' AS occurred_at FROM {events}")
    found = table.source(table=f"seen_{table.name}").full_scan(WINDOW)
    assert found is not None
    assert (found.relation, found.create_index) == (f"public.{table.name}", None)


def test_a_missing_driver_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SourceError, match=r"pip install 'telemetry-quality\[postgresql\]'") as caught:
        PostgresSource("postgresql://admin:hunter2@localhost/db", "events", SCHEMA)
    assert caught.value.reason_code == "DRIVER_MISSING"


@pytest.fixture(scope="module")
def standby(postgresql: PostgreSQL) -> Iterator[PostgreSQL]:
    with running_standby(postgresql) as server:
        yield server


def wait_until_replayed(primary: PostgreSQL, standby: PostgreSQL) -> None:
    with primary.connect() as connection, standby.connect() as replaying:
        (written,) = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone() or ("",)
        deadline = time.monotonic() + 30
        while replaying.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [written]).fetchone() != (True,):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_day_on_a_hot_standby_is_that_on_its_primary(postgresql: PostgreSQL, standby: PostgreSQL) -> None:
    table = Table(postgresql, [NOON, "2026-03-10 23:59:59.999999+00", "2026-03-11 00:00:00+00"])
    wait_until_replayed(postgresql, standby)
    source = PostgresSource(standby.url(), table.name, SCHEMA)
    assert read(source) == read(table.source())
    assert read(source).aggregates.totals().events == 2
    assert source.count_days([WINDOW]) == {DAY: 2}
    assert source.full_scan(WINDOW) is None


def test_a_read_cancelled_by_a_standby_is_retried_later(postgresql: PostgreSQL, standby: PostgreSQL) -> None:
    table = Table(postgresql)
    wait_until_replayed(postgresql, standby)
    source = PostgresSource(standby.url(), table.name, SCHEMA)
    (day_range,) = day_ranges_of([WINDOW])

    def read_on_while_rows_go() -> None:
        with source._client() as client, client.transaction():
            events = source._tables(client).of(day_range)
            assert events is not None
            assert client.execute(events.count_query(day_range))
            # Permanently remove rows that this transaction still sees.
            table.do("DELETE FROM {events}")
            table.do("VACUUM {events}")
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                client.execute(events.count_query(day_range))

    with pytest.raises(SourceUnavailableError, match="recovery") as error:
        read_on_while_rows_go()
    assert error.value.reason_code == "SOURCE_UNREACHABLE"
    wait_until_replayed(postgresql, standby)
    assert source.count_days([WINDOW]) == {DAY: 0}
