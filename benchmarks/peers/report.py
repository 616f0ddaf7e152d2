"""Measure a day of each size with each tool, print a table and store it for the report."""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
from results import Table, keep
from synthetic import write_day

from peers.measuring import Bench, judge_the_tools, measure
from peers.tools import OURS, PLAIN, TOOLS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from results import Cell

    from peers.measuring import Measured

MOST_EVENTS_IN_MEMORY = 20_000_000
COLUMNS = (
    "tool",
    "process s",
    "× ours",
    "CPU s",
    "peak MiB",
    "× our peak",
    "warm ms",
    "× plain DuckDB",
    "of it checks ms",
    "sample",
)


def main(arguments: Sequence[str]) -> None:
    options = _parser().parse_args(arguments)
    for events in options.events:
        names = [name for name in options.tools if events <= MOST_EVENTS_IN_MEMORY or not TOOLS[name].needs_memory]
        with TemporaryDirectory(dir=options.scratch) as folder:
            found, mib = _measure(Path(folder), names, events, options.rounds)
        table = tabulate(found, f"A day of {events:,} events in Parquet ({mib:,.0f} MiB), medians of {options.rounds}")
        print(table.markdown())
        keep(Table(f"peers-{events}", table.title, table.columns, table.rows, ("process s", "peak MiB", "warm ms")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/peers", description=__doc__)
    parser.add_argument("--events", nargs="+", type=_whole, default=[1_000_000], metavar="N", help="sizes of the day")
    parser.add_argument("--rounds", type=_whole, default=5, metavar="N", help="interleaved rounds")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS), metavar="NAME", help=", ".join(TOOLS))
    parser.add_argument("--scratch", type=Path, help="folder for the day's file, 55 bytes an event")
    return parser


def _whole(text: str) -> int:
    return int(text.replace("_", ""))


def _measure(folder: Path, names: Sequence[str], events: int, rounds: int) -> tuple[dict[str, Measured], float]:
    bench, tools = Bench(folder), [TOOLS[name] for name in names]
    good = write_day(folder / "good", 20_000)
    bench.prepare_store(good)
    is_sampling = judge_the_tools(bench, tools, good, write_violated(folder / "violated", good))
    print(f"All verdicts on a good and on a violated day are right; writing {events:,} events ...", flush=True)
    file = write_day(folder / "day", events)
    return measure(bench, tools, is_sampling, file, rounds), file.stat().st_size / 2**20


def write_violated(folder: Path, good: Path) -> Path:
    """The same day with 10 % errors and 2 % of versions missing."""
    folder.mkdir()
    file = folder / "events.parquet"
    with duckdb.connect() as connection:
        day = connection.read_parquet(str(good))
        day.project(
            "* REPLACE (CASE WHEN hash(event_id, 1) % 10 = 0 THEN 17 ELSE 9 END AS severity,"
            " CASE WHEN hash(event_id, 2) % 50 > 0 THEN '1.0' END AS app_version)"
        ).to_parquet(str(file))
    return file


def tabulate(found: Mapping[str, Measured], title: str) -> Table:
    """Medians in the given order, with ratios to our process and to plain DuckDB's warm counts."""
    ours, plain = found.get(OURS), found.get(PLAIN)
    rows: list[list[Cell]] = [
        [
            measured.title,
            median(measured.process),
            _ratio(median(measured.process), median(ours.process) if ours else None),
            median(measured.cpu),
            median(measured.peak),
            _ratio(median(measured.peak), median(ours.peak) if ours else None),
            1000 * measured.warm,
            _ratio(measured.warm, plain.warm if plain else None),
            1000 * median(measured.check),
            "yes" if measured.is_sampling else "no",
        ]
        for measured in found.values()
    ]
    return Table("peers", title, COLUMNS, rows)


def _ratio(value: float, base: float | None) -> float | None:
    return value / base if base else None
