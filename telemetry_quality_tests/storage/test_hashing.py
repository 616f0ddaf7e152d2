"""Content hashes: the same content has the same hash everywhere, other content another one."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_quality.storage.hashing import content_hash, row_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
ROWS = st.dictionaries(st.text(max_size=5), VALUES, max_size=5)


@pytest.mark.slow
@given(ROWS)
def test_the_order_of_keys_does_not_matter(row: dict[str, Any]) -> None:
    assert content_hash(dict(reversed(row.items()))) == content_hash(row)


@given(VALUES, VALUES)
def test_other_content_has_another_hash(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (content_hash(one) == content_hash(other)) is same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, ""),
        (None, 0),
        (0, False),
        (1, 1.0),
        (1, "1"),
        ("", " "),
        ("a", "A"),
        ("é", "e\u0301"),
        ([1, 2], [2, 1]),
        ([[1], 2], [1, [2]]),
        (["a,b"], ["a", "b"]),
        (['a","b'], ["a", "b"]),
        ({"a": None}, {}),
        (0.1 + 0.2, 0.3),
        (date(2026, 3, 10), date(2026, 3, 11)),
    ],
)
def test_what_looks_alike_has_another_hash(one: Any, other: Any) -> None:
    assert content_hash(one) != content_hash(other)


def test_a_hash_is_the_same_on_every_machine() -> None:
    content = {"name": "it's 🛰️\n", "day": date(2026, 3, 10), "rate": 0.1, "none": None, "list": [1, True]}
    assert content_hash(content) == "64603c69a4208a361d92dc2a69f3407fb34f2fbc084cf375acacbaa37ff8f578"


def test_days_and_instants_are_hashed_as_they_are_written() -> None:
    assert content_hash(date(2026, 3, 10)) == content_hash("2026-03-10")
    assert content_hash(datetime(2026, 3, 10, 1, tzinfo=UTC)) == content_hash("2026-03-10T01:00:00+00:00")


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()], ids=["bytes", "set", "object"])
def test_what_has_no_one_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="Only plain values can be hashed"):
        content_hash({"value": value})


@pytest.mark.parametrize("changed", [{"a": 2}, {"b": None}, {"c": 1}])
def test_a_row_hash_covers_every_column_but_the_hash_itself(changed: Mapping[str, Any]) -> None:
    row = {"a": 1, "b": "x", "previous_hash": None, "content_hash": "what it was"}
    assert row_hash(row | {"content_hash": "what it is"}) == row_hash(row)
    assert row_hash({**row, **changed}) != row_hash(row)
    assert row_hash(row | {"previous_hash": "another"}) != row_hash(row)
