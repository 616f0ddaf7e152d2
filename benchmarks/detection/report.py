"""One command: judge every method, and write the tables (Markdown, CSV) and a picture (SVG)."""

from __future__ import annotations

import argparse
import csv
import platform
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detection.hours import HOURLY_METHODS, OUTAGES, HourlyFigures, judge_hourly, load_hourly_folder
from detection.methods import METHODS
from detection.plain import library
from detection.protocol import FAULTS, HOLIDAY, INCIDENT, NORMAL, Figures, Method, Series, groups, judge, load_folder
from detection.records import FILE, library_versions, recall, record
from telemetry_quality import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from detection.hours import HourlySeries

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "daily"
HOURLY_DATA = ROOT.parent / "shared" / "data" / "hourly"
OUT = ROOT / "artifacts" / "detection"
DOCS = ROOT / "docs" / "explanation" / "detection.md"
PICTURE = ROOT / "docs" / "images" / "detection.svg"
BEGIN, END = "<!-- begin: written by benchmarks/detection --update-docs -->", "<!-- end -->"
BEGIN_HOURS = "<!-- begin: hours, written by benchmarks/detection --update-docs -->"

LOW_FILE = "figures_low.json"
"""Where the figures of low-volume series are recorded."""

PICTURED_FAULT = "−50 %"
INK, OURS, PEERS, PLAIN = "#7d858f", "#d9730d", "#3b82d6", "#7d858f"
"""Colours that are readable on both white and black."""

HEADINGS = (
    "method",
    "false alarms per 100 normal days, mean / median",
    "holidays alarmed %",
    "incident days hit",
    *FAULTS,
    "normal days inside the interval %",
    "leak found / imagined %",
    "normal days judged",
    "ms a day",
)


HOURLY_HEADINGS = (
    "method",
    "false alarms per 100 normal days, mean",
    "holidays alarmed %",
    *(f"{outage.title}: found %" for outage in OUTAGES),
    "normal days judged",
    "ms a day",
)


def main(arguments: Sequence[str]) -> None:
    options = _parser().parse_args(arguments)
    if options.update_docs and options.methods != list(METHODS):
        raise SystemExit("--update-docs requires every method, but --methods was given; leave one of them out.")
    folder = load_folder(options.data or DATA)
    hourly = _hourly_folder(options)
    options.out.mkdir(parents=True, exist_ok=True)
    methods = [method for name in options.methods if not _say_what_is_missing(method := METHODS[name])]
    ordinary = [series for series in folder if not series.is_low_volume]
    low = [series for series in folder if series.is_low_volume]
    figures = _measure(methods, ordinary, options, FILE)
    write(figures, ordinary, options.out)
    if low:
        print("Low-volume series, reported apart:")
        write_tables(_measure(methods, low, options, LOW_FILE), low, options.out, "table_low")
    hourly_figures = _measure_hours(hourly)
    if hourly:
        write_hours(hourly_figures, hourly, options.out)
    print(f"Written to {options.out}: {', '.join(sorted(file.name for file in options.out.iterdir()))}.")
    if options.update_docs:
        update_docs(figures, folder, hourly_figures, hourly)
        print(f"Updated {DOCS.relative_to(ROOT)} and {PICTURE.relative_to(ROOT)}.")


def _hourly_folder(options: argparse.Namespace) -> list[HourlySeries]:
    """The hourly series asked for; without any option, those next to the checkout, if they are there."""
    if options.hourly is not None:
        return load_hourly_folder(options.hourly)
    return load_hourly_folder(HOURLY_DATA) if options.data is None and HOURLY_DATA.is_dir() else []


def _measure(
    methods: Sequence[Method], folder: Sequence[Series], options: argparse.Namespace, file: str
) -> list[Figures]:
    known = {} if options.fresh else recall(options.out, folder, file)
    for row in _judge_all([method for method in methods if method.name not in known], folder, options.jobs):
        known[row.name] = row
        record(options.out, folder, [row], file)
        print(_line(_cells(row)), flush=True)
    return [known[method.name] for method in methods]


def _measure_hours(folder: Sequence[HourlySeries]) -> list[HourlyFigures]:
    rows = []
    for method in HOURLY_METHODS if folder else ():
        rows.append(judge_hourly(method, folder))
        print(_line(_hourly_cells(rows[-1])), flush=True)
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/detection", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of daily series: date,count,label,note (and series.csv)")
    parser.add_argument("--hourly", type=Path, help="folder of hourly series: hour,count as .csv or .csv.gz")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="NAME")
    parser.add_argument("--jobs", type=int, default=1, help="processes to use")
    parser.add_argument("--fresh", action="store_true", help="measure again what an earlier run has measured")
    parser.add_argument("--update-docs", action="store_true", help="also replace tables and picture in docs/")
    return parser


def _say_what_is_missing(method: Method) -> bool:
    needs = missing_libraries(method)
    if needs:
        print(f"{method.name} is left out: it needs {' and '.join(needs)}, not installed; pip install '.[bench]'.")
    return bool(needs)


def missing_libraries(method: Method) -> list[str]:
    """The libraries that a method needs and that are not installed."""
    return [name for name in method.needs if find_spec(name) is None]


def _judge_all(methods: Sequence[Method], folder: Sequence[Series], jobs: int) -> Iterator[Figures]:
    if jobs == 1:
        yield from (judge(method, folder) for method in methods)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(partial(_judge_by_name, folder=folder), [method.name for method in methods])


def _judge_by_name(name: str, folder: Sequence[Series]) -> Figures:
    return judge(METHODS[name], folder)


def write(figures: Sequence[Figures], folder: Sequence[Series], out: Path) -> None:
    """Write table.md, table.csv and detection.svg into ``out``."""
    write_tables(figures, folder, out, "table")
    draw_picture(figures, out / "detection.svg")


def write_tables(figures: Sequence[Figures], folder: Sequence[Series], out: Path, name: str) -> None:
    """Write the table as Markdown and CSV."""
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.md").write_text(markdown(figures, folder), encoding="utf-8")
    _write_csv(out / f"{name}.csv", HEADINGS, [(row.name, *_cells(row)) for row in figures])


def write_hours(figures: Sequence[HourlyFigures], folder: Sequence[HourlySeries], out: Path) -> None:
    """Write the hourly table as Markdown and CSV."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "hours.md").write_text(hourly_markdown(figures, folder), encoding="utf-8")
    _write_csv(out / "hours.csv", HOURLY_HEADINGS, [(row.name, *_hourly_cells(row)) for row in figures])


def _write_csv(file: Path, headings: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as lines:
        rows = csv.writer(lines)
        rows.writerow(("name", *headings))
        rows.writerows(cells)


def update_docs(
    figures: Sequence[Figures],
    folder: Sequence[Series],
    hourly_figures: Sequence[HourlyFigures],
    hourly: Sequence[HourlySeries],
) -> None:
    """Replace the tables between the markers of docs/explanation/detection.md, and the picture next to them."""
    text = _replaced(DOCS.read_text(encoding="utf-8"), BEGIN, markdown(figures, folder))
    if hourly:
        text = _replaced(text, BEGIN_HOURS, hourly_markdown(hourly_figures, hourly))
    DOCS.write_text(text, encoding="utf-8")
    PICTURE.parent.mkdir(exist_ok=True)
    draw_picture(figures, PICTURE)


def _replaced(text: str, begin: str, table: str) -> str:
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(END)
    return f"{before}{begin}\n\n{table}\n{END}{after}"


def markdown(figures: Iterable[Figures], folder: Sequence[Series]) -> str:
    """A sentence on where the figures come from, and their table."""
    table = [
        _line(HEADINGS),
        _line("---" for _ in HEADINGS),
        *(_line(_cells(row)) for row in figures),
    ]
    return f"{provenance(folder)}\n\n{chr(10).join(table)}\n"


def hourly_markdown(figures: Iterable[HourlyFigures], folder: Sequence[HourlySeries]) -> str:
    """A sentence on where the figures come from, and their table."""
    days = sum(len(list(series.judged())) for series in folder)
    lines = [
        _line(HOURLY_HEADINGS),
        _line("---" for _ in HOURLY_HEADINGS),
        *(_line(_hourly_cells(row)) for row in figures),
    ]
    return (
        f"{_measured()} on {len(folder)} hourly series with {days:,} days after the warm-up.\n\n{chr(10).join(lines)}\n"
    )


def _measured() -> str:
    return f"Measured on {datetime.now(UTC):%Y-%m-%d}"


def provenance(folder: Sequence[Series]) -> str:
    """When, on which machine, and with which versions."""
    days = {label: sum(len(series.judged(label)) for series in folder) for label in (NORMAL, HOLIDAY, INCIDENT)}
    versions = ", ".join(f"{name} {found}" for name, found in library_versions().items())
    return (
        f"{_measured()} on {len(folder)} series in "
        f"{len(set(groups(series.name for series in folder).values()))} groups: {days[NORMAL]:,} normal days, "
        f"{days[HOLIDAY]} holidays and {days[INCIDENT]} incident days after the warm-up; "
        f"telemetry-quality {__version__}, Python {platform.python_version()}, {versions}."
    )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: Figures) -> tuple[str, ...]:
    return (
        row.title,
        f"{_number(row.false_alarms_mean, 1)} / {_number(row.false_alarms_median, 1)}",
        _number(row.holidays_alarmed_percent),
        f"{row.incident_days_hit} of {row.incident_days}",
        *(_number(row.recall_percent[fault]) for fault in FAULTS),
        _number(row.coverage_percent, 1),
        f"{_number(row.leaks_found_percent)} / {_number(row.leaks_imagined_percent)}",
        f"{row.normal_days:,}",
        _number(row.milliseconds_per_day, 2 if row.milliseconds_per_day < 1 else 0),
    )


def _hourly_cells(row: HourlyFigures) -> tuple[str, ...]:
    return (
        row.title,
        _number(row.false_alarms_mean, 1),
        _number(row.holidays_alarmed_percent),
        *(_number(row.found_percent[outage.title]) for outage in OUTAGES),
        f"{row.days:,}" if row.days else "–",
        _number(row.milliseconds_per_day, 2 if row.milliseconds_per_day < 1 else 0),
    )


def _number(value: float, digits: int = 0) -> str:
    return "–" if isnan(value) else f"{value:.{digits}f}"


def draw_picture(figures: Iterable[Figures], file: Path) -> None:
    """False alarms against the share of halved days caught, both axes stretched towards the good corner."""
    if find_spec("matplotlib") is None:
        print("The picture is left out: it requires matplotlib, not installed; pip install '.[bench]' has it.")
        return
    shown = [row for row in figures if not isnan(row.recall_percent[PICTURED_FAULT])]
    library("matplotlib").use("svg")
    plot = library("matplotlib.pyplot")
    with plot.rc_context({"svg.fonttype": "none", "svg.hashsalt": "detection", "font.family": "sans-serif"}):
        figure, axes = plot.subplots(figsize=(9, 5.4))
        _axes(axes)
        _points(axes, shown)
        figure.subplots_adjust(left=0.09, right=0.62, top=0.97, bottom=0.11)
        figure.savefig(file, transparent=True, metadata={"Date": None})
        plot.close(figure)


def _axes(axes: Any) -> None:
    numpy = library("numpy")
    axes.set_xscale("function", functions=(lambda x: numpy.sqrt(numpy.abs(x)), numpy.square))
    axes.set_yscale("function", functions=(lambda y: -numpy.sqrt(numpy.abs(100 - y)), lambda y: 100 - numpy.square(y)))
    axes.set_xlim(0, 20)
    axes.set_ylim(0, 100)
    axes.set_xticks([0, 0.5, 1, 2, 5, 10, 20], ["0", "0.5", "1", "2", "5", "10", "20"])
    axes.set_yticks([0, 50, 75, 90, 95, 99, 100])
    axes.set_xlabel("false alarms per 100 normal days", color=INK)
    axes.set_ylabel("halved days caught, %", color=INK)
    axes.tick_params(colors=INK)
    axes.grid(color=INK, alpha=0.25, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color(INK)


def _points(axes: Any, figures: Sequence[Figures]) -> None:
    """A point per method, labelled in a column on the right in the order of the catch rate."""
    ranked = sorted(
        figures,
        key=lambda row: (-row.recall_percent[PICTURED_FAULT], row.false_alarms_mean),
    )
    for rank, row in enumerate(ranked):
        color = _color(row.name)
        point = (min(row.false_alarms_mean, 20), row.recall_percent[PICTURED_FAULT])
        axes.plot(*point, "o", color=color, markersize=6, clip_on=False)
        axes.annotate(
            (METHODS[row.name].label if row.name in METHODS else "") or row.title,
            point,
            xytext=(1.06, 0.985 - 0.97 * rank / max(len(ranked) - 1, 1)),
            textcoords="axes fraction",
            va="center",
            color=color,
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": color, "alpha": 0.45, "linewidth": 0.7, "relpos": (0, 0.5)},
        )


def _color(name: str) -> str:
    limits = METHODS[name].limits if name in METHODS else None
    return {"detection.ours": OURS, "detection.peers": PEERS}.get(getattr(limits, "__module__", ""), PLAIN)
