"""The shared contract, met by the connector that ``docs/how-to/add-a-connector.md`` builds outside the project."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from telemetry_quality_tests.packages import CONTRACT_TEST, installed, write_the_page_s_package
from telemetry_quality_tests.sources import test_contract
from telemetry_quality_tests.sources.test_contract import ALL_EVENTS, CASE_WINDOWS, AllCases, Location, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from telemetry_quality_tests.sources.test_contract import Source

    Write = Callable[[Location, Sequence[Mapping[str, Any]]], Source]

pytestmark = pytest.mark.slow

CONTRACT = {
    name: test
    for name, test in vars(test_contract).items()
    if name.startswith("test_")
    and (
        test_contract.wherever.mark in getattr(test, "pytestmark", ())
        or "all_cases" in inspect.signature(test).parameters
    )
}
"""The tests that hold for every connector; they run here with the fixtures below."""
globals().update(CONTRACT)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Write]:
    """The function of this name in the page's own test."""
    names: dict[str, Any] = {}
    exec(CONTRACT_TEST, names)
    with installed(write_the_page_s_package(tmp_path_factory.mktemp("packages"))):
        yield names["written"]


@pytest.fixture
def write(written: Write) -> Write:
    return written


@pytest.fixture(scope="module")
def all_cases(written: Write, tmp_path_factory: pytest.TempPathFactory) -> AllCases:
    source = written(Location(tmp_path_factory.mktemp("cases")), ALL_EVENTS)
    return AllCases(source, {scan.day: scan for scan in read(source, CASE_WINDOWS)})


def test_the_contract_holds_tests_of_both_kinds() -> None:
    assert "test_reading_never_changes_a_byte_of_the_source" in CONTRACT
    assert "test_the_same_events_are_the_same_day_wherever_they_live" in CONTRACT
