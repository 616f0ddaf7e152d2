"""The tables of the benchmarks: their numbers, their ratios, their page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import report
from peers.measuring import Measured
from peers.report import tabulate
from peers.tools import OURS, PLAIN, REQUIREMENTS, TOOLS
from results import Table, keep, kept

if TYPE_CHECKING:
    from pathlib import Path


def make_measured(title: str = "tool", seconds: float = 1, peak: float = 100, warm: float = 0.1) -> Measured:
    """Three rounds, the last of which was disturbed."""
    return Measured(
        title,
        is_sampling=False,
        process=[seconds, seconds, 90 * seconds],
        cpu=[seconds, seconds, 2 * seconds],
        peak=[peak, peak, peak],
        load=[warm / 4, warm / 4, 9 * warm],
        check=[3 * warm / 4, 3 * warm / 4, warm],
    )


def test_ratios_are_of_medians_to_our_process_and_to_plain_duckdbs_warm_counts() -> None:
    found = {
        OURS: make_measured("we", seconds=2, peak=200, warm=0.4),
        PLAIN: make_measured("plain", seconds=1, peak=100, warm=0.1),
        "other": make_measured("other", seconds=8, peak=2000, warm=0.05),
    }
    table = tabulate(found, "a day")
    assert table.column("tool") == ["we", "plain", "other"]
    assert table.column("process s") == [2, 1, 8]
    assert table.column("× ours") == [1, 0.5, 4]
    assert table.column("× our peak") == [1, 0.5, 10]
    assert table.column("warm ms") == pytest.approx([400, 100, 50])
    assert table.column("× plain DuckDB") == pytest.approx([4, 1, 0.5])
    assert table.column("of it checks ms") == pytest.approx([300, 75, 37.5])


def test_without_ours_or_plain_duckdb_there_is_no_ratio() -> None:
    table = tabulate({"other": make_measured()}, "a day")
    assert table.column("× ours") == table.column("× our peak") == table.column("× plain DuckDB") == [None]


def test_a_kept_table_is_read_back_and_replaced_by_the_next_of_its_name(tmp_path: Path) -> None:
    keep(Table("b", "second", ("tool", "s"), [["we", 1.0]]), tmp_path)
    keep(Table("a", "first", ("tool", "s"), [["we", None]]), tmp_path)
    keep(Table("b", "second again", ("tool", "s"), [["we", 2.0]]), tmp_path)
    assert [table.title for table in kept(tmp_path)] == ["first", "second again"]
    assert kept(tmp_path)[1].column("s") == [2.0]


def test_numbers_are_shown_with_three_digits_and_what_was_not_measured_with_a_dash() -> None:
    table = Table("a", "title", ("tool", "s"), [["we", 0.123], ["x", 12.34], ["y", 1234.5], ["z", None], ["t", "no"]])
    rows = [line.strip("| ").split(" | ")[-1] for line in table.markdown().splitlines() if line.startswith("|")][2:]
    assert rows == ["0.12", "12.3", "1,234", "–", "no"]


def test_the_report_is_one_page_and_one_picture_of_all_tables(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    tables = [
        Table("a", "first", ("tool", "s", "MiB"), [["we", 1.0, 5000.0], ["they", None, 2.0]], ("s", "MiB")),
        Table("b", "second", ("tool", "s"), [["we", 2.0]]),
    ]
    report.write(tables, tmp_path)
    page = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert page.index("**first**") < page.index("**second**")
    assert (tmp_path / "bench.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_every_environment_is_pinned_to_the_last_package() -> None:
    named = {tool.environment for tool in TOOLS.values()} - {None}
    files = {file.stem: file.read_text(encoding="utf-8").split() for file in REQUIREMENTS.glob("*.txt")}
    assert set(files) == named
    assert all("==" in pin for pins in files.values() for pin in pins)
