"""One day of one source with everything that is known of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from telemetry_quality.core.guardrails.catalogue import guardrails, guardrails_of
from telemetry_quality.core.guardrails.sample import NAME as SAMPLE
from telemetry_quality.core.guardrails.verdicts import Outcome
from telemetry_quality.dashboard import parameters
from telemetry_quality.dashboard.api import address_key, require_day, this_minute
from telemetry_quality.dashboard.context import dashboard_of
from telemetry_quality.dashboard.day_answers import day_answer
from telemetry_quality.dashboard.markup.breakdowns import hour_rows, part_rows, table_rows
from telemetry_quality.dashboard.markup.day_facts import day_facts
from telemetry_quality.dashboard.markup.revisions import compared
from telemetry_quality.dashboard.markup.sample import event_list
from telemetry_quality.dashboard.pages.declaration import Page
from telemetry_quality.dashboard.pages.questions import asked_for, placed
from telemetry_quality.dashboard.refusals import Refusal, invalid
from telemetry_quality.dashboard.rendering import SIGNS, page, render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from starlette.requests import Request
    from starlette.responses import Response

    from telemetry_quality.core.guardrails.guardrail import Guardrail
    from telemetry_quality.dashboard.models import DayAnswer, RevisionAnswer
    from telemetry_quality.storage.reader import StoredDay


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

    known = dashboard.settings.sources.get(source)
    rules = guardrails() if known is None else guardrails_of(known.event_schema())

    def make(stored: StoredDay) -> bytes:
        return day_main(day_answer(stored, board, dashboard.settings, now), rules, asked.revision).encode()

    load = partial(dashboard.reader.day, source, day)
    made = await dashboard.answers.get_or_load(address_key(request, now), board.version, load, make)
    main = Markup(made.decode())  # noqa: S704 - a template made it
    return page(request, title=f"{source} {day}", main=main, section=PAGE.section, version=board.version)


def _source_and_day(request: Request) -> tuple[str, date]:
    try:
        return str(request.path_params["source"]), _DAY.validate_python(request.path_params["day"])
    except ValidationError as error:
        raise Refusal(404, "NO_SUCH_DAY", invalid(placed(error, "day")).sentence) from None


_DAY: TypeAdapter[date] = TypeAdapter(parameters.Day)


def day_main(answer: DayAnswer, rules: Sequence[Guardrail], revision: int | None = None) -> Markup:
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
        PAGE.template,
        answer=answer,
        shown=shown,
        latest=answer.revisions[-1] if answer.revisions else None,
        status=(shown.snapshot.status.value if shown else "missing"),
        signs=SIGNS,
        zone=zone,
        facts=day_facts(shown, rules) if shown else [],
        verdicts=verdicts,
        explained=[one for one in verdicts if one.causes],
        sample_verdict=next((one for one in verdicts if one.guardrail == SAMPLE), None),
        failed_events=[one for one in answer.sample if not one.passed],
        passed_events=event_list(one.event_id for one in answer.sample if one.passed),
        has_late=has_late,
        signals=table_rows(part_rows(answer.by_signal.parts, total), has_late=has_late),
        versions=table_rows(part_rows(answer.by_version.parts, total), has_late=has_late),
        hours=table_rows(hour_rows(answer.by_hour.parts, total, answer.day, zone), has_late=has_late),
        compared=compared(answer.revisions, rules, zone) if len(answer.revisions) > 1 else [],
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


PAGE = Page("/health/snapshots/{source}/{day}/", one_day, "day.html", section="snapshots")
