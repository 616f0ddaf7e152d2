"""The pages for people: whether yesterday can be trusted, the log of snapshots, and one day with all that is known.

Routes only gather what a page shows; what it means is said in ``summary``, ``series`` and ``day_answers``, and how it
looks in the templates. What is the same for everybody is made once per version of the board.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from datetime import UTC
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_origin
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.responses import RedirectResponse, Response

from telemetry_quality.core.guardrails.sample import NAME as SAMPLE
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.core.snapshots import DayStatus
from telemetry_quality.dashboard import figures, parameters
from telemetry_quality.dashboard.api import address_key, require_day, require_sources, this_minute
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.day_answers import day_answer
from telemetry_quality.dashboard.refusals import Refusal, invalid
from telemetry_quality.dashboard.rendering import SIGNS, page, render
from telemetry_quality.dashboard.series import daily_series, year_of
from telemetry_quality.dashboard.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from starlette.requests import Request

    from telemetry_quality.core.policies import Policy
    from telemetry_quality.dashboard.board import Board
    from telemetry_quality.dashboard.models import DayAnswer, RevisionAnswer, SourceSummary
    from telemetry_quality.settings import Settings
    from telemetry_quality.storage.reader import StoredDay

router = APIRouter()

STATIC = Path(__file__).with_name("static")

CHART_DAYS = 30
WINDOWS = ("7", "30")
MOST_TOLD = 3
"""Sources whose trouble is told in words at the top; the table below has all of them."""

Asked = TypeVar("Asked", bound=BaseModel)


# ---- the first page ----


async def front_door(_: Request) -> Response:
    """The bare address leads to the dashboard."""
    return RedirectResponse("/health/", 303)


async def overview(request: Request) -> Response:
    """Whether yesterday can be trusted, what is wrong, and since when."""
    dashboard, asked = dashboard_of(request), asked_for(request, parameters.OneSource)
    board, now = await dashboard.board(), this_minute(dashboard)
    if asked.source and asked.source not in dashboard.settings.sources:
        require_sources(dashboard, board, [asked.source])
        return RedirectResponse(f"/health/snapshots/?source={asked.source}", 303)
    main = await kept(request, board, now, lambda: overview_main(board, dashboard.settings, now, asked.source))
    return page(request, title="Health", main=main, section="overview", version=board.version, has_charts=True)


def overview_main(board: Board, settings: Settings, now: datetime, source: str | None) -> Markup:
    """The first page for one source, the one in the worst state if none is named."""
    summary = summarize(board, settings, now)
    chosen = next((one for one in summary.sources if one.source == source), None) or _worst(summary.sources)
    several = len(summary.sources) > 1
    troubled = sorted((one for one in summary.sources if not one.is_trustworthy), key=_severity)
    headline, details = headline_of(summary.sentence)
    stale = [one for one in troubled if one.is_stale][:MOST_TOLD]
    told = [one for one in troubled if one not in stale]
    return render(
        "overview.html",
        summary=summary,
        headline=headline,
        details=details if several else f"{details[:1].upper()}{details[1:]}",
        has_been_read=board.has_been_read,
        chosen=chosen,
        status=summary.status.value,
        several=several,
        troubled=told[:MOST_TOLD] if several else [],
        untold=max(0, len(told) - MOST_TOLD) if several else 0,
        stale_sentences=[f"{one.source}: {one.stale_sentence}" if several else one.stale_sentence for one in stale],
        rows=[_source_row(board, one, is_chosen=one is chosen) for one in summary.sources] if several else [],
        source=_source_part(board, settings, now, chosen),
        zone=ZoneInfo(chosen.time_zone),
        signs=SIGNS,
    )


def _source_row(board: Board, one: SourceSummary, *, is_chosen: bool) -> Markup:
    """A source among the others."""

    def make() -> Markup:
        last = one.day or one.last_snapshot_day
        strip = figures.strip([] if last is None else _marks(board, one, last))
        return render("source_row.html", one=one, its=one.snapshot, is_chosen=is_chosen, strip=strip)

    return board.remembered(one.source, ("row", *_moment(one), is_chosen), make)


def _source_part(board: Board, settings: Settings, now: datetime, chosen: SourceSummary) -> Markup:
    """All about one source: windows, charts, calendar, open incidents."""

    def make() -> Markup:
        last = chosen.day or chosen.last_snapshot_day
        parts = _parts_of(board, settings, chosen, last) if last and chosen.last_snapshot_day else {}
        return render("source.html", **parts, chosen=chosen, has_been_read=board.has_been_read, signs=SIGNS)

    today = now.astimezone(UTC).date()
    return board.remembered(chosen.source, ("part", *_moment(chosen), today, board.has_been_read), make)


def _moment(one: SourceSummary) -> tuple[Any, ...]:
    """What the clock alone can change in how a source is shown."""
    return one.day, one.awaited_day, one.status


def headline_of(sentence: str) -> tuple[str, str]:
    """A verdict as what is read from afar, and the rest: what stands before its colon, or else its last sentence."""
    head, colon, rest = sentence.partition(": ")
    if colon:
        return head, rest
    rest, _, head = sentence.removesuffix(".").rpartition(". ")
    return head, f"{rest}." if rest else ""


def _parts_of(board: Board, settings: Settings, chosen: SourceSummary, last: date) -> dict[str, Any]:
    points = daily_series(board, chosen.source, last, CHART_DAYS, chosen.first_day)
    year = year_of(board, chosen.source, last, chosen.first_day)
    policy = settings.sources[chosen.source].policy()
    windows = [chosen.windows[name] for name in WINDOWS]
    return {
        "figures": figures.window_figures(chosen.snapshot, windows, policy),
        "points": points,
        "rows": figures.chart_rows(points),
        "charts": _charts(policy),
        "calendar": figures.calendar(year),
        "legend": [(mark, year.counts.get(mark, 0)) for mark in figures.CELL_SIGNS if year.counts.get(mark)],  # type: ignore[call-overload]
        "cell_signs": figures.CELL_SIGNS,
    }


@dataclass(frozen=True, slots=True)
class Chart:
    """What one chart draws and says."""

    kind: str
    words: str
    note: str


def _charts(policy: Policy) -> tuple[Chart, ...]:
    return (
        Chart("events", "Events against expected", f"{policy.interval_percent:g} % of normal days lie in the band"),
        Chart("errors", "Error rate", f"critical above {policy.error_rate_percent:g} %"),
        Chart("versions", "Missing version", f"warning above {policy.missing_version_percent:g} %"),
        Chart("sampling", "Sample passed", f"warning below {policy.sample_success_percent:g} %"),
    )


def _severity(one: SourceSummary) -> int:
    return list(DayStatus).index(one.status)


def _worst(sources: tuple[SourceSummary, ...]) -> SourceSummary:
    return min(sources, key=_severity)


def _marks(board: Board, one: SourceSummary, last: date) -> list[str]:
    first = max(one.first_day, last.fromordinal(last.toordinal() - CHART_DAYS + 1))
    return ["missing" if row is None else row.status for row in board.ledger.window(one.source, first, last)]


# ---- the log of snapshots ----


async def log(request: Request) -> Response:
    """All current snapshots: filtered, sorted, page by page."""
    dashboard, asked = dashboard_of(request), asked_for(request, parameters.LogParameters)
    board = await dashboard.board()
    require_sources(dashboard, board, asked.source)
    main = await kept(request, board, None, lambda: log_main(board, dashboard.settings, asked))
    return page(request, title="Snapshots", main=main, section="snapshots", version=board.version)


LOG_COLUMNS = (
    ("day", "Day"),
    ("source", "Source"),
    ("status", "Status"),
    ("total_events", "Events"),
    (None, "Expected"),
    ("volume_deviation_percent", "Against expected"),
    ("error_rate_percent", "Errors %"),
    ("missing_version_percent", "No version %"),
    ("sampling_success_rate_percent", "Sample passed %"),
    (None, "Revisions"),
    ("computed_at", "Judged"),
)
"""What the log shows, each column with what it is sorted by."""

SIZES = (50, 100, 250)


def log_main(board: Board, settings: Settings, asked: parameters.LogParameters) -> Markup:
    """One page of the log."""
    found = board.ledger.page(asked.query())
    sources = sorted({*settings.sources, *board.ledger.sources})
    address = Address(asked)
    zones = {one: _zone(settings, one) for one in sources}
    return render(
        "log.html",
        trouble=board.trouble,
        rows=found.rows,
        body=figures.log_rows(found.rows, zones),
        found=found,
        asked=asked,
        sources=sources,
        statuses=[one.value for one in DayStatus],
        signs=SIGNS,
        columns=[_column(asked, address, name, words) for name, words in LOG_COLUMNS],
        address=address,
        sizes=SIZES,
        is_filtered=bool(asked.source or asked.status or asked.first or asked.last),
        has_any=bool(board.ledger.sources),
        exports=address.filters(),
    )


FILTERS = ("source", "status", "first", "last")
IN_ORDER = (*FILTERS, "is_open", "sort", "descending", "page_size", "page")
"""In an address, so that the same question has the same one and is kept once."""


class Address:
    """Addresses of a list that keep what was asked for, but for what is passed."""

    def __init__(self, asked: BaseModel) -> None:
        given = asked.model_dump(mode="json", exclude_defaults=True)
        # Encoded once: a page has twenty addresses that differ in one value.
        self._given = {name: _encoded(name, given[name]) for name in IN_ORDER if name in given}

    def __call__(self, **changes: Any) -> str:
        """The same page with ``changes``; another order or filter begins at the first page."""
        changed = {name: _encoded(name, value) for name, value in changes.items()}
        pieces = {**self._given, "page": "", **changed}
        return f"?{'&'.join(pieces[name] for name in IN_ORDER if pieces.get(name))}"

    def filters(self) -> str:
        """Only what says which snapshots, for the exports."""
        pieces = [self._given[name] for name in FILTERS if self._given.get(name)]
        return f"?{'&'.join(pieces)}" if pieces else ""


def _encoded(name: str, value: Any) -> str:
    return urlencode({name: str(value).lower() if isinstance(value, bool) else value}, doseq=True)


@dataclass(frozen=True, slots=True)
class Column:
    """A heading of the log.

    Attributes:
        link: What sorts by it, or turns the order round; None where nothing does.
        order: How it is sorted now: ascending, descending or not at all.
    """

    words: str
    link: str | None
    order: str | None
    is_number: bool


def _column(asked: parameters.LogParameters, address: Address, name: str | None, words: str) -> Column:
    is_number = words not in {"Day", "Source", "Status", "Judged"}
    if name is None:
        return Column(words, None, None, is_number)
    is_current = asked.sort == name
    is_descending = not asked.descending if is_current else name not in {"source", "status"}
    order = ("descending" if asked.descending else "ascending") if is_current else None
    return Column(words, address(sort=name, descending=is_descending), order, is_number)


def _zone(settings: Settings, source: str) -> ZoneInfo:
    known = settings.sources.get(source)
    return ZoneInfo(known.time_zone if known else "UTC")


# ---- one day ----


class OneRevision(BaseModel):
    """Which revision of a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: parameters.Number | None = Field(None, ge=1)


async def one_day(request: Request) -> Response:
    """One day with everything that is known of it."""
    dashboard, asked = dashboard_of(request), asked_for(request, OneRevision)
    board, now = await dashboard.board(), this_minute(dashboard)
    source, day = _source_and_day(request)
    require_day(dashboard, board, source, day, now)

    def make(stored: StoredDay) -> bytes:
        return day_main(day_answer(stored, board, dashboard.settings, now), asked.revision).encode()

    load = partial(dashboard.reader.day, source, day)
    made = await dashboard.answers.get_or_load(address_key(request, now), board.version, load, make)
    main = Markup(made.decode())  # noqa: S704 - a template made it
    return page(request, title=f"{source} {day}", main=main, section="snapshots", version=board.version)


def _source_and_day(request: Request) -> tuple[str, date]:
    try:
        return str(request.path_params["source"]), _DAY.validate_python(request.path_params["day"])
    except ValidationError as error:
        raise Refusal(404, "NO_SUCH_DAY", invalid(_placed(error, "day")).sentence) from None


_DAY: TypeAdapter[date] = TypeAdapter(parameters.Day)


def day_main(answer: DayAnswer, revision: int | None = None) -> Markup:
    """The page of one day, as its latest revision says it, or another one.

    Raises:
        Refusal: If it has no such revision.
    """
    shown = _revision(answer, revision)
    zone = ZoneInfo(answer.time_zone)
    verdicts = sorted(shown.verdicts, key=_outcome_order) if shown else []
    total = answer.readings[-1].total_events if answer.readings else None
    has_late = any(one.late_events for one in answer.by_hour.parts)
    return render(
        "day.html",
        answer=answer,
        shown=shown,
        latest=answer.revisions[-1] if answer.revisions else None,
        status=(shown.snapshot.status.value if shown else "missing"),
        signs=SIGNS,
        zone=zone,
        facts=figures.day_facts(shown) if shown else [],
        verdicts=verdicts,
        explained=[one for one in verdicts if one.causes],
        sample_verdict=next((one for one in verdicts if one.guardrail == SAMPLE), None),
        failed_events=[one for one in answer.sample if not one.passed],
        passed_events=figures.event_list(one.event_id for one in answer.sample if one.passed),
        has_late=has_late,
        signals=figures.table_rows(figures.part_rows(answer.by_signal.parts, total), has_late=has_late),
        versions=figures.table_rows(figures.part_rows(answer.by_version.parts, total), has_late=has_late),
        hours=figures.table_rows(figures.hour_rows(answer.by_hour.parts, total, answer.day, zone), has_late=has_late),
        compared=figures.compared(answer.revisions, zone) if len(answer.revisions) > 1 else [],
    )


def _revision(answer: DayAnswer, revision: int | None) -> RevisionAnswer | None:
    if revision is None:
        return answer.revisions[-1] if answer.revisions else None
    for one in answer.revisions:
        if one.snapshot.revision == revision:
            return one
    known = ", ".join(str(one.snapshot.revision) for one in answer.revisions) or "none"
    raise Refusal(
        404,
        "NO_SUCH_REVISION",
        f"A revision that {answer.day} has is required ({known}), but {revision} was asked for; choose one of them.",
    )


def _outcome_order(verdict: Any) -> int:
    return [Outcome.FAILED, Outcome.UNKNOWN, Outcome.PASSED].index(verdict.outcome)


# ---- what every page needs ----


def asked_for(request: Request, model: type[Asked]) -> Asked:
    """What a page's address asks for; a field that a form sends empty asks for nothing.

    Raises:
        Refusal: If that is not possible; the sentence says why.
    """
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        if value:
            given.setdefault(name, []).append(value)
    lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
    values = {name: found if name in lists or len(found) > 1 else found[0] for name, found in given.items()}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(_placed(error, "query")) from None


def _placed(error: ValidationError, place: str) -> dict[str, Any]:
    """The first mistake as the framework would tell it."""
    first = error.errors(include_url=False)[0]
    return {**first, "loc": (place, *(first["loc"] or ("value",)))}


async def kept(request: Request, board: Board, now: datetime | None, make: Callable[[], Markup]) -> Markup:
    """What a page says, made once per version of the board, and once a minute where it tells ``now``."""
    key = address_key(request, now)
    answer = await dashboard_of(request).answers.get_or_make(key, board.version, lambda: make().encode())
    return Markup(answer.decode())  # noqa: S704 - a template made it


# ---- files ----


async def static(request: Request) -> Response:
    """A file of the package, unless whoever asks has it already."""
    found = files().get(request.path_params["path"])
    if found is None:
        raise Refusal(404, "NO_SUCH_FILE", "A file of the dashboard is required, but it has none of this name.")
    headers = {"ETag": found.tag, "Cache-Control": "private, no-cache"}
    if found.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent."""

    content: bytes
    media_type: str
    tag: str


@cache
def files() -> dict[str, File]:
    """All there are, by path; no other path leads anywhere."""
    return {
        one.relative_to(STATIC).as_posix(): _file(one)
        for one in sorted(STATIC.rglob("*"))
        if one.is_file() and not one.name.startswith(".")
    }


def _file(path: Path) -> File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "text/plain"
    return File(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


for _path, _endpoint in (
    ("/", front_door),
    ("/health/", overview),
    ("/health/snapshots/", log),
    ("/health/snapshots/{source}/{day}/", one_day),
    ("/health/static/{path:path}", static),
):
    # Plain routes: what a page is asked for is read from its address, and no answer model is needed.
    router.add_route(_path, _endpoint, methods=["GET"], include_in_schema=False)
