from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard.index import COUNTS, REALS, SORTABLE, LogPage, LogQuery, SnapshotIndex
from telemetry_quality_tests.dashboard.states import BEFORE, TODAY, YESTERDAY, make_journal_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry_quality.storage.reader import JournalRow

SOURCES = ("api", "shop", "web")
STATUSES = [day_status.value for day_status in DayStatus]

NUMBERS = (*COUNTS, *REALS)

days = st.dates(date(2026, 2, 26), date(2026, 3, 3))
drawn_days = st.tuples(
    st.sampled_from(SOURCES),
    days,
    st.sampled_from(STATUSES),
    st.integers(0, 3) | st.integers(0, 2**62),
    st.sampled_from([-1.5, 0.0, 2.5]) | st.floats(allow_nan=False),
    st.integers(0, 2 ** len(NUMBERS) - 1),
)
"""Source, day, status, a count, a real number, and which numbers are not known."""


@st.composite
def journals(draw: st.DrawFn) -> list[JournalRow]:
    """Rows as a store appends them: the revisions of a day increase one by one, with other days in between."""
    revisions: dict[tuple[str, date], int] = {}
    rows = []
    for place, (source, day, status, count, real, unknown) in enumerate(draw(st.lists(drawn_days, max_size=16))):
        revisions[source, day] = revisions.get((source, day), 0) + 1
        values: dict[str, Any] = {name: count + n for n, name in enumerate(COUNTS)}
        values |= {name: real * (n + 1) for n, name in enumerate(REALS)}
        values |= {name: None for n, name in enumerate(NUMBERS) if unknown >> n & 1}
        rows.append(
            make_journal_row(
                day,
                2 * place + 1,
                source=source,
                revision=revisions[source, day],
                status=status,
                computed_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=count % 5),
                is_provisional=(None, False, True)[count % 3],
                run_id=(None, "", "run-1", "run-2")[count % 4],
                **values,
            )
        )
    return rows


@st.composite
def queries(draw: st.DrawFn) -> LogQuery:
    return LogQuery(
        sources=draw(st.lists(st.sampled_from((*SOURCES, "nobody")), max_size=2).map(tuple)),
        statuses=draw(st.lists(st.sampled_from(STATUSES), max_size=3).map(tuple)),
        first=draw(st.none() | days),
        last=draw(st.none() | days),
        sort=draw(st.sampled_from(SORTABLE)),
        descending=draw(st.booleans()),
        page=draw(st.integers(1, 3)),
        size=draw(st.integers(1, 10)),
    )


def current(rows: Iterable[JournalRow]) -> list[JournalRow]:
    """The latest revision of each day."""
    return list({(row.source, row.day): row for row in sorted(rows, key=lambda row: row.revision)}.values())


def naive_page(rows: Iterable[JournalRow], query: LogQuery) -> LogPage:
    """What the index must return, computed with plain lists."""
    wanted = [
        row
        for row in current(rows)
        if row.source in (query.sources or SOURCES)
        and row.status in (query.statuses or STATUSES)
        and (query.first or date.min) <= row.day <= (query.last or date.max)
    ]
    wanted.sort(key=lambda row: (-row.day.toordinal(), row.source))
    known = [row for row in wanted if getattr(row, query.sort) is not None]
    order = list(reversed(STATUSES))
    known.sort(
        key=lambda row: order.index(row.status) if query.sort == "status" else getattr(row, query.sort),
        reverse=query.descending,
    )
    chosen = known + [row for row in wanted if getattr(row, query.sort) is None]
    start = (query.page - 1) * query.size
    pages = max(ceil(len(chosen) / query.size), 1)
    return LogPage(tuple(chosen[start : start + query.size]), len(chosen), query.page, pages)


def in_pieces(rows: list[JournalRow], cuts: Iterable[int]) -> SnapshotIndex:
    index, begin = SnapshotIndex(), 0
    for end in [*sorted(cuts), len(rows)]:
        index, begin = index.extended(rows[begin:end]), max(begin, end)
    return index


@given(journals(), queries())
def test_a_page_equals_sorting_and_filtering_the_current_rows(rows: list[JournalRow], query: LogQuery) -> None:
    assert SnapshotIndex().extended(rows).page(query) == naive_page(rows, query)


@pytest.mark.slow
@given(journals(), st.lists(st.integers(0, 25), max_size=4), queries())
def test_an_index_built_in_pieces_equals_one_built_at_once(
    rows: list[JournalRow], cuts: list[int], query: LogQuery
) -> None:
    pieces, whole = in_pieces(rows, cuts), SnapshotIndex().extended(rows)
    assert (pieces.sources, pieces.last_sequence, len(pieces)) == (whole.sources, whole.last_sequence, len(whole))
    assert pieces.page(query) == whole.page(query)
    for source in SOURCES:
        first, last = date(2026, 2, 25), date(2026, 3, 4)
        assert pieces.window(source, first, last) == whole.window(source, first, last)


@given(journals())
def test_every_current_row_is_returned_as_in_the_journal(rows: list[JournalRow]) -> None:
    index = SnapshotIndex().extended(rows)
    for row in current(rows):
        assert index.current(row.source, row.day) == row
    assert len(index) == len(current(rows))


def test_only_the_latest_revision_of_a_day_is_listed_even_if_it_arrives_later() -> None:
    first = make_journal_row(sequence=1, error_rate_percent=1.0)
    second = make_journal_row(sequence=7, revision=2, error_rate_percent=9.0)
    index = SnapshotIndex().extended([first])
    assert index.page(LogQuery()).rows == (first,)
    later = index.extended([second])
    assert later.page(LogQuery()).rows == (second,)
    assert later.page(LogQuery(sort="error_rate_percent")).total == 1
    assert index.page(LogQuery()).rows == (first,), "an index that is still in use must not change"


def test_nothing_new_makes_no_new_index() -> None:
    index = SnapshotIndex().extended([make_journal_row()])
    assert index.extended([]) is index


def test_unknown_values_come_last_in_both_orders() -> None:
    rows = [
        make_journal_row(BEFORE, 1, total_events=None),
        make_journal_row(YESTERDAY, 2, total_events=0),
        make_journal_row(TODAY, 3, total_events=5),
    ]
    index = SnapshotIndex().extended(rows)
    for descending, expected in ((True, [5, 0, None]), (False, [0, 5, None])):
        page = index.page(LogQuery(sort="total_events", descending=descending))
        assert [row.total_events for row in page.rows] == expected


def test_the_worst_status_comes_first_in_descending_order() -> None:
    rows = [make_journal_row(BEFORE - timedelta(days=n), n, status=status) for n, status in enumerate(STATUSES, 1)]
    page = SnapshotIndex().extended(rows).page(LogQuery(sort="status"))
    assert [row.status for row in page.rows] == STATUSES


def test_a_window_has_one_row_per_day_and_none_for_a_day_without_a_snapshot() -> None:
    row = make_journal_row(YESTERDAY)
    index = SnapshotIndex().extended([row, make_journal_row(YESTERDAY, 2, source="shop")])
    assert index.window("web", BEFORE, TODAY) == [None, row, None]
    assert index.window("nobody", BEFORE, TODAY) == [None, None, None]
    assert index.current("web", BEFORE) is None


def test_the_latest_and_the_first_day_are_those_of_the_source_alone() -> None:
    rows = [
        make_journal_row(YESTERDAY, 1, source="api"),
        make_journal_row(BEFORE, 2, source="shop"),
        make_journal_row(TODAY, 3, source="web"),
    ]
    index = SnapshotIndex().extended(rows)
    assert index.latest("shop") == rows[1]
    assert index.first_day("shop") == BEFORE
    assert index.neighbours("shop", YESTERDAY) == (BEFORE, None)
    assert index.neighbours("shop", BEFORE) == (None, None)
    assert index.neighbours("shop", BEFORE - timedelta(days=9)) == (None, BEFORE)
    assert (index.latest("nobody"), index.first_day("nobody")) == (None, None)
    assert index.neighbours("nobody", BEFORE) == (None, None)


def test_an_empty_index_has_one_empty_page() -> None:
    assert SnapshotIndex().page(LogQuery()) == LogPage((), 0, 1, 1)
    assert SnapshotIndex().latest("web") is None


def test_a_page_beyond_the_last_is_empty_and_says_how_many_there_are() -> None:
    index = SnapshotIndex().extended(make_journal_row(BEFORE - timedelta(days=n), n + 1) for n in range(3))
    assert index.page(LogQuery(page=3, size=2)) == LogPage((), 3, 3, 2)


def test_the_log_cannot_be_sorted_by_other_columns() -> None:
    with pytest.raises(ValueError, match="policy"):
        SnapshotIndex().page(LogQuery(sort="policy"))


def test_an_order_is_computed_once_for_all_pages() -> None:
    index = SnapshotIndex().extended(make_journal_row(BEFORE - timedelta(days=n), n + 1) for n in range(20))
    index.page(LogQuery(sort="computed_at"))
    orders = dict(index._orders)
    index.page(LogQuery(sort="computed_at", page=2, statuses=("healthy",)))
    assert {key: id(order) for key, order in index._orders.items()} == {key: id(order) for key, order in orders.items()}


def test_ten_years_of_fifty_sources_take_less_than_sixty_megabytes() -> None:
    rows = [make_journal_row(BEFORE - timedelta(days=n), n + 1, policy="".join(["p"] * 600)) for n in range(1000)]
    index = SnapshotIndex().extended(rows)
    for sort in SORTABLE:
        for descending in (True, False):
            assert index.page(LogQuery(sort=sort, descending=descending, statuses=("healthy",))).total == 1000
    assert len(index._ranks) == 2 * len(SORTABLE)
    arrays = [*index._columns.values(), *index._orders.values(), *index._ranks.values()]
    assert sum(array.nbytes for array in arrays) / 1000 * 182_500 < 60e6
    assert len({id(policy) for policy in index._columns["policy"]}) == 1
