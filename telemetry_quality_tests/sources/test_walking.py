"""What cannot be listed or read is never taken for absent: whatever was done to files, a day that is read is whole."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from telemetry_quality.core.days import day_window
from telemetry_quality.core.events import UnreadableDay
from telemetry_quality.errors import SourceError
from telemetry_quality.sources.duckdb import DuckDBFileSource, ParquetSource
from telemetry_quality.sources.walking import Places, place_of, walk
from telemetry_quality_tests.builders import DAY, SCHEMA, make_event, write_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Damage = Callable[[Path, Path], object]
    """Does something to a file or folder; the second path is a folder outside the source."""

pytestmark = pytest.mark.slow

UTC_ZONE = ZoneInfo("UTC")
DAYS = [DAY + timedelta(days=n) for n in range(3)]
WINDOWS = [day_window(day, UTC_ZONE) for day in DAYS]
HOURS = (3, 15)
NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """The rights of files bind the block, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setgroups(groups)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter, unlike those of ``tmp_path``."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwX", folder], check=True)
    shutil.rmtree(folder)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names_in(folder: Path, path: str = "") -> list[str]:
    listing = walk(f"{folder}/{path}" if path else str(folder))
    assert not listing.unlisted
    return [name.removeprefix(f"{folder}/") for name in listing.files]


# Which files match


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ["a.parquet", "d=1/b.parquet", "d=2/h=1/c.parquet", "x.parquet/part.parquet"]),
        ("**/*.parquet", ["a.parquet", "d=1/b.parquet", "d=2/h=1/c.parquet", "x.parquet/part.parquet"]),
        ("**", ["a.parquet", "d=1/b.parquet", "d=1/notes.txt", "d=2/h=1/c.parquet", "x.parquet/part.parquet"]),
        ("*", ["a.parquet", "d=1/b.parquet", "d=2/h=1/c.parquet", "x.parquet/part.parquet"]),
        ("d=1", ["d=1/b.parquet"]),
        ("d=1/", ["d=1/b.parquet"]),
        ("d=[12]", ["d=1/b.parquet", "d=2/h=1/c.parquet"]),
        ("d=[!1]/*/*.parquet", ["d=2/h=1/c.parquet"]),
        ("**/h=*/**/c.parquet", ["d=2/h=1/c.parquet"]),
        ("d=?/b.parquet", ["d=1/b.parquet"]),
        ("a.parquet", ["a.parquet"]),
        ("**/nothing*", []),
        ("nothing", []),
        ("a.parquet/*.parquet", []),
    ],
)
def test_a_path_is_a_file_a_folder_or_a_pattern(tmp_path: Path, path: str, found: list[str]) -> None:
    touch(tmp_path, "a.parquet", "d=1/b.parquet", "d=1/notes.txt", "d=2/h=1/c.parquet", "x.parquet/part.parquet")
    touch(tmp_path, "_temporary/t.parquet", ".b.parquet.crc", "d=1/_SUCCESS", "d=1/.x/y.parquet")
    listing = walk(f"{tmp_path}/{path}" if path else str(tmp_path))
    assert [name.removeprefix(f"{tmp_path}/") for name in listing.files] == found


def test_a_path_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.parquet", "d=1/b.parquet")
    monkeypatch.chdir(tmp_path)
    assert list(walk("*.parquet").files) == ["a.parquet"]
    assert list(walk("d=1").files) == ["d=1/b.parquet"]


def test_names_with_wildcards_are_read_as_they_are(tmp_path: Path) -> None:
    for number, name in enumerate(["a*.parquet", "ab.parquet", "[x].parquet", "x.parquet", "q?.parquet"]):
        write_parquet(tmp_path / name, [make_event(event_id=f"e{number}")])
    assert ParquetSource(str(tmp_path), SCHEMA, UTC_ZONE).count_days(WINDOWS[:1]) == {DAY: 5}
    assert ParquetSource(f"{tmp_path}/a*.parquet", SCHEMA, UTC_ZONE).count_days(WINDOWS[:1]) == {DAY: 1}


@pytest.mark.parametrize("path", ["d=*/*.parquet", "*/*.parquet", "d=[12]/b*"])
def test_a_hive_folder_below_those_of_the_pattern_is_named(tmp_path: Path, path: str) -> None:
    touch(tmp_path, "d=1/b.parquet", "d=2/h=1/c.parquet")
    listing = walk(f"{tmp_path}/{path}")
    assert list(listing.files) == [f"{tmp_path}/d=1/b.parquet"]
    assert {name: problem.reason_code for name, problem in listing.unlisted.items()} == {
        f"{tmp_path}/d=2/h=1": "HIVE_DEPTH"
    }


@pytest.mark.parametrize("dated", [True, False])
def test_hive_folders_of_different_depth_are_read_together(tmp_path: Path, *, dated: bool) -> None:
    key = f"day={DAY}" if dated else "kind=web"
    for number, folder in enumerate([f"{key}", f"{key}/hour=3", f"{key}/app=x/hour=4", f"hour=5/{key}", "plain"]):
        write_parquet(tmp_path / folder / "part.parquet", [make_event(event_id=f"e{number}")])
    (scan,) = ParquetSource(str(tmp_path), SCHEMA, UTC_ZONE).scan_days(WINDOWS[:1], 10)
    assert not isinstance(scan, UnreadableDay), scan
    assert scan.aggregates.totals().events == 5
    assert {event.event_id for event in scan.sample} == {f"e{number}" for number in range(5)}


# Links


def test_links_are_followed_and_every_file_is_listed_once(tmp_path: Path) -> None:
    events, elsewhere = tmp_path / "events", tmp_path / "elsewhere"
    touch(events, "d=1/a.parquet")
    touch(elsewhere, "d=2/b.parquet", "c.parquet")
    (events / "d=2").symlink_to(elsewhere / "d=2")
    (events / "c.parquet").symlink_to(elsewhere / "c.parquet")
    for alias in ("0-latest", "z-latest"):
        (events / alias).symlink_to(events / "d=1")
    (events / "alias.parquet").symlink_to("d=1/a.parquet")
    (events / "notes").symlink_to("/dev/null")
    listing = walk(str(events))
    assert [name.removeprefix(f"{events}/") for name in listing.files] == [
        "c.parquet",
        "d=1/a.parquet",
        "d=2/b.parquet",
    ]
    assert not listing.unlisted
    real = Path(os.path.realpath(tmp_path))
    assert listing.places >= Places(
        frozenset({f"{real}/events", f"{real}/elsewhere/d=2"}), frozenset({f"{real}/elsewhere/c.parquet"})
    )


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    events = tmp_path / "events"
    touch(events, "d=1/a.parquet")
    touch(tmp_path, "other/b.parquet")
    (events / "self").symlink_to(events)
    (events / "d=1" / "up").symlink_to("..")
    (events / "above").symlink_to(tmp_path)
    (tmp_path / "other" / "back").symlink_to(events)
    (events / "other").symlink_to(tmp_path / "other")
    assert names_in(events) == ["d=1/a.parquet", "other/b.parquet"]


def test_a_source_may_itself_be_a_link(tmp_path: Path) -> None:
    touch(tmp_path, "real/d=1/a.parquet")
    (tmp_path / "events").symlink_to("real")
    assert names_in(tmp_path / "events") == ["d=1/a.parquet"]
    assert place_of(f"{tmp_path}/events/*") == Places(frozenset({os.path.realpath(tmp_path / "real")}))


# Tables whose format says which files are live


@pytest.mark.parametrize("path", ["", "**/*.parquet", "d=1", "d=1/a.parquet", "d=*/*.parquet"])
@pytest.mark.parametrize(
    ("log", "reason_code", "remedy"),
    [
        ("_delta_log/00000000000000000000.json", "DELTA_TABLE", "connector 'delta'"),
        ("metadata/v1.metadata.json", "ICEBERG_TABLE", "connector 'iceberg'"),
        ("metadata/00000-1f2e.metadata.json", "ICEBERG_TABLE", "connector 'iceberg'"),
        (".hoodie/hoodie.properties", "HUDI_TABLE", "connector 'spark'"),
    ],
)
def test_a_table_of_a_lake_is_refused_by_name(
    tmp_path: Path, path: str, log: str, reason_code: str, remedy: str
) -> None:
    touch(tmp_path, "lake/d=1/a.parquet", f"lake/{log}")
    source = ParquetSource(f"{tmp_path}/lake/{path}", SCHEMA, UTC_ZONE)
    for ask in (lambda: list(source.scan_days(WINDOWS, 1)), lambda: source.count_days(WINDOWS), source.columns):
        with pytest.raises(SourceError, match=f"{tmp_path}/lake is a table of .* would count events twice") as refused:
            ask()
        assert refused.value.reason_code == reason_code
        assert remedy in str(refused.value)


def test_a_lake_s_table_below_a_folder_is_refused_and_other_folders_called_metadata_are_not(tmp_path: Path) -> None:
    touch(tmp_path, "events/a.parquet", "events/metadata/notes.json", "metadata/schema.json")
    assert names_in(tmp_path / "events") == ["a.parquet"]
    touch(tmp_path, "events/sub/part.parquet", "events/sub/_delta_log/0.json")
    with pytest.raises(SourceError, match="events/sub is a table of Delta"):
        walk(str(tmp_path / "events"))


# Whatever is done to files, folders and links


@dataclass(frozen=True)
class Layout:
    """How files are called; the damaged ones belong to the second day."""

    name: str
    patterns: tuple[str, ...]
    is_dated: bool = True


LAYOUTS = (
    Layout("day={day}/hour={hour:02}/part.parquet", ("", "**/*.parquet", "*/hour=*/*.parquet")),
    Layout("year={day:%Y}/month={day:%m}/day={day:%d}/{hour}.parquet", ("", "year=*/*/*/*.parquet")),
    Layout("{day}/{hour}.parquet", ("", "*/*.parquet", "20*")),
    Layout("{day:%Y%m%d}-{hour:02}.parquet", ("", "*.parquet", "*")),
    Layout("{day:%Y}/{day:%m}/{day:%d}/{hour}.parquet", ("", "**")),
    Layout("part-{number}.parquet", ("", "*.parquet"), is_dated=False),
    Layout("shard{number}/part.parquet", ("", "*/part.parquet"), is_dated=False),
)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[Layout, Path]:
    """Each layout with two files of one event on each day."""
    folder = tmp_path_factory.mktemp("trees")
    for at, layout in enumerate(LAYOUTS):
        for number, (day, hour) in enumerate((day, hour) for day in DAYS for hour in HOURS):
            name = layout.name.format(day=day, hour=hour, number=number)
            when = datetime(day.year, day.month, day.day, hour, tzinfo=UTC_ZONE)
            write_parquet(folder / str(at) / name, [make_event(event_id=f"e{number}", occurred_at=when)])
    return {layout: folder / str(at) for at, layout in enumerate(LAYOUTS)}


def deny(path: Path, _: Path) -> None:
    path.chmod(0)


def deny_listing(path: Path, _: Path) -> None:
    path.chmod(0o111)


def deny_entering(path: Path, _: Path) -> None:
    path.chmod(0o444)


def truncate(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes()[:-12])


def cut_in_half(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path, _: Path) -> None:
    path.write_bytes(b"")


def fill_with_garbage(path: Path, _: Path) -> None:
    path.write_bytes(b"words, " * 300)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def let_dangle(path: Path, outside: Path) -> None:
    remove(path)
    path.symlink_to(outside / "unmounted" / path.name)


def lead_to_itself(path: Path, _: Path) -> None:
    remove(path)
    path.symlink_to(path.name)


def lead_into_a_denied_folder(path: Path, outside: Path) -> None:
    link(path, outside)
    outside.chmod(0)


def link(path: Path, outside: Path) -> None:
    shutil.move(path, outside / path.name)
    path.symlink_to(outside / path.name)


def replace_by_a_pipe(path: Path, _: Path) -> None:
    remove(path)
    os.mkfifo(path)


def replace_by_a_socket(path: Path, _: Path) -> None:
    remove(path)
    os.mknod(path, stat.S_IFSOCK | 0o644)


def replace_by_a_link_to_a_device(path: Path, _: Path) -> None:
    remove(path)
    path.symlink_to("/dev/zero")


FILE_DAMAGES: dict[Damage, str] = {
    deny: "FILE_UNREADABLE",
    truncate: "FILE_BROKEN",
    cut_in_half: "FILE_BROKEN",
    empty: "FILE_BROKEN",
    fill_with_garbage: "FILE_BROKEN",
    let_dangle: "LINK_BROKEN",
    lead_to_itself: "LINK_BROKEN",
    lead_into_a_denied_folder: "LINK_UNREADABLE",
    replace_by_a_pipe: "NOT_A_FILE",
    replace_by_a_socket: "NOT_A_FILE",
    replace_by_a_link_to_a_device: "NOT_A_FILE",
}
FOLDER_DAMAGES: dict[Damage, str] = {
    deny: "FOLDER_UNREADABLE",
    deny_listing: "FOLDER_UNREADABLE",
    deny_entering: "F",
    let_dangle: "LINK_BROKEN",
    lead_to_itself: "LINK_BROKEN",
    lead_into_a_denied_folder: "LINK_UNREADABLE",
}
CASES = [
    pytest.param(layout, pattern, damage, code, depth, id=f"{layout.name}-{pattern}-{damage.__name__}-{depth}")
    for layout in LAYOUTS
    for depth, damages in enumerate([FILE_DAMAGES, FOLDER_DAMAGES][: 1 + ("/" in layout.name)])
    for number, (damage, code) in enumerate(damages.items())
    for pattern in [layout.patterns[number % len(layout.patterns)]]
]
HARMLESS = [
    pytest.param(layout, pattern, depth, id=f"{layout.name}-{pattern}-{depth}")
    for layout in LAYOUTS
    for pattern in layout.patterns
    for depth in range(1 + layout.name.count("/"))
]


def copied(tree: Path, place: Path) -> tuple[Path, Path]:
    """A copy of a tree, and a folder outside of it."""
    (place / "elsewhere").mkdir()
    for path in shutil.copytree(tree, place / "events").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (place / "events").chmod(0o755)
    return place / "events", place / "elsewhere"


def target_of(layout: Layout, events: Path, depth: int) -> Path:
    """A file of the second day, or the folder so many levels above it."""
    file = events / layout.name.format(day=DAYS[1], hour=HOURS[0], number=2)
    return [file, *file.parents][depth]


def answers_of(source: ParquetSource) -> list[int | UnreadableDay]:
    with as_nobody():
        scans = list(source.scan_days(WINDOWS, 10))
        counts = source.count_days(WINDOWS)
    answers = [scan if isinstance(scan, UnreadableDay) else scan.aggregates.totals().events for scan in scans]
    assert answers == list(counts.values()), "counting a day doubts what reading it doubts"
    return answers


def test_there_are_enough_cases() -> None:
    assert len(CASES) + len(HARMLESS) >= 120


@pytest.mark.parametrize(("layout", "pattern", "damage", "code", "depth"), CASES)
def test_a_day_whose_files_were_damaged_is_unknown_and_names_what_was(  # noqa: PLR0917 - what was done to what
    trees: dict[Layout, Path], place: Path, layout: Layout, pattern: str, damage: Damage, code: str, depth: int
) -> None:
    events, outside = copied(trees[layout], place)
    target = target_of(layout, events, depth)
    damage(target, outside)
    first, second, third = answers_of(ParquetSource(f"{events}/{pattern}", SCHEMA, UTC_ZONE))
    assert isinstance(second, UnreadableDay)
    assert second.reason_code.startswith(code)
    assert str(target) in second.reason
    assert second.reason.endswith(".")
    for other in (first, third):
        assert (
            other == 2 if layout.is_dated else isinstance(other, UnreadableDay) and other.reason_code.startswith(code)
        )


@pytest.mark.parametrize(("layout", "pattern", "depth"), HARMLESS)
def test_a_day_that_good_links_lead_to_is_read(
    trees: dict[Layout, Path], place: Path, layout: Layout, pattern: str, depth: int
) -> None:
    events, outside = copied(trees[layout], place)
    link(target_of(layout, events, depth), outside)
    assert answers_of(ParquetSource(f"{events}/{pattern}", SCHEMA, UTC_ZONE)) == [2, 2, 2]


@pytest.mark.parametrize("damage", [deny, deny_listing, deny_entering, let_dangle, lead_to_itself])
@pytest.mark.parametrize("pattern", ["", "*.parquet", "**/*.parquet"])
def test_a_source_that_cannot_be_entered_is_no_empty_source(
    trees: dict[Layout, Path], place: Path, damage: Damage, pattern: str
) -> None:
    events, outside = copied(trees[LAYOUTS[3]], place)
    damage(events, outside)
    answers = answers_of(ParquetSource(f"{events}/{pattern}", SCHEMA, UTC_ZONE))
    assert {isinstance(answer, UnreadableDay) for answer in answers} == {True}


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_listing_that_is_cut_short_puts_in_doubt_what_it_may_have_named(
    trees: dict[Layout, Path], place: Path, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    events, _ = copied(trees[LAYOUTS[1]], place)
    target = str(target_of(LAYOUTS[1], events, depth))
    scandir = os.scandir

    @contextmanager
    def cut_short(path: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        def entries() -> Iterator[os.DirEntry[str]]:
            with scandir(path) as whole:
                yield next(whole)
            raise OSError(5, "Input/output error")

        with scandir(path) if path != target else nullcontext(entries()) as found:
            yield found

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", cut_short)
        answers = ParquetSource(str(events), SCHEMA, UTC_ZONE).count_days(WINDOWS)
    doubted = [answer for answer in answers.values() if isinstance(answer, UnreadableDay)]
    assert len(doubted) == (1 if depth == 1 else 3)
    assert {answer.reason_code for answer in doubted} == {"FOLDER_UNREADABLE"}
    assert all("Input/output error" in answer.reason for answer in doubted)


def test_a_database_file_that_may_not_be_read_or_is_none_is_named(place: Path) -> None:
    denied = place / "denied"
    denied.mkdir()
    (denied / "events.duckdb").touch(mode=0)
    os.mkfifo(place / "pipe.duckdb")
    answers = []
    for path in (denied / "events.duckdb", place / "pipe.duckdb", place / "pipe.duckdb" / "absent"):
        with as_nobody(), pytest.raises(SourceError, match=f"A DuckDB file is required, but {path} ") as refused:
            DuckDBFileSource(str(path), "events", SCHEMA).count_days(WINDOWS)
        answers.append(refused.value.reason_code)
    assert answers == ["FILE_UNREADABLE", "FILE_MISSING", "FILE_MISSING"]
    denied.chmod(0)
    with as_nobody(), pytest.raises(SourceError) as refused:
        DuckDBFileSource(str(denied / "events.duckdb"), "events", SCHEMA).count_days(WINDOWS)
    assert refused.value.reason_code == "FILE_UNREADABLE"


def test_a_folder_of_a_month_that_cannot_be_listed_puts_no_other_month_in_doubt(
    trees: dict[Layout, Path], place: Path
) -> None:
    events, _ = copied(trees[LAYOUTS[1]], place)
    (events / "year=2026" / "month=02").mkdir(mode=0)
    (events / "year=2025").mkdir(mode=0)
    assert answers_of(ParquetSource(str(events), SCHEMA, UTC_ZONE)) == [2, 2, 2]


def test_a_file_that_always_vanishes_while_it_is_listed_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.parquet", "b.parquet")
    listed: list[str] = []

    class Vanishing:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self._entry, self.name = entry, entry.name

        def __getattr__(self, name: str) -> Any:
            return getattr(self._entry, name)

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            listed.append(self.name)
            if self.name == "b.parquet":
                raise FileNotFoundError
            return self._entry.stat(follow_symlinks=follow_symlinks)

    @contextmanager
    def scandir(path: str) -> Iterator[Iterator[Vanishing]]:
        with original(path) as entries:
            yield map(Vanishing, entries)

    original = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    listing = walk(str(tmp_path))
    assert list(listing.files) == [f"{tmp_path}/a.parquet"]
    assert listing.unlisted[f"{tmp_path}/b.parquet"].reason_code == "SOURCE_CHANGED"
    assert listed.count("b.parquet") == 5
