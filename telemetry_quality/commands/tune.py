"""The command ``telemetry-quality tune``: proposes thresholds from the stored history and never applies them.

Exit codes: 0 the history was tried, whatever the result; 2 too little history is stored, or the command failed.

The JSON output, in which every key is always present::

    {"source": "web", "first_day": "2013-01-01", "last_day": "2013-12-31", "days": 365, "left_out_days": 0,
     "confirmed_days": 0, "dismissed_days": 0, "judge_again": "telemetry-quality backfill 2013-01-01 2013-12-31 ...",
     "target_false_alarms_per_100_days": 1.0,
     "guardrails": [{"guardrail": "volume", "setting": "volume_deviation_percent", "advice": "tighten",
                     "sentence": "...", "today": SCORE, "proposed": SCORE or null}],
     "fragment": "[sources.web.guardrails]...", "written_to": null}

SCORE is ``{"threshold", "judged_days", "unknown_days", "alarms", "dismissed_alarms", "confirmed_days", "found_days",
"false_alarms_per_100_days", "false_alarms_interval", "caught_percent", "tried_days"}``; the interval is that of 95 %,
null without judged days, and the last two map the names of Fault to a number, null for faults that do not concern the
guardrail.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import daily_work, utc_now
from telemetry_quality.commands.options import (
    EXIT_HEALTHY,
    config_option,
    list_format,
    print_csv,
    print_json,
    source_option,
)
from telemetry_quality.console import Column, Kind, next_step, print_listing, progress, write
from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.incidents import incidents_of
from telemetry_quality.core.judging import evidence_of, load_history
from telemetry_quality.core.tuning.backtest import Labels, back_test, stored_evidences
from telemetry_quality.core.tuning.proposals import MINIMUM_DAYS, propose
from telemetry_quality.errors import RequestError, SettingsError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.judging import HistoricalContext
    from telemetry_quality.core.tuning.backtest import Score
    from telemetry_quality.core.tuning.proposals import Proposal

CSV_COLUMNS = ("guardrail", "setting", "advice", "sentence", "today", "proposed")
LONGEST_COMMENT = 76
"""Characters of the longest comment in a proposal, which is pasted into settings and shown on narrow terminals."""

MAXIMUM_DAYS = 1_096
"""Three years, since all segments of all days are held in RAM at once."""


@click.command()
@click.option(
    "--days",
    type=click.IntRange(MINIMUM_DAYS, MAXIMUM_DAYS),
    default=365,
    show_default=True,
    help="The last N stored days to try.",
)
@click.option(
    "--target",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    metavar="PERCENT",
    help="The false alarms per 100 days that each guardrail may raise.",
)
@click.option(
    "--write", "new_file", metavar="FILE", help="Write the proposal to a file; an existing file is never overwritten."
)
@config_option
@source_option
@list_format
def tune(  # noqa: PLR0917
    days: int, target: float, new_file: str | None, config: str | None, source: str | None, form: str
) -> int:
    """Try the current and other thresholds on the stored days and propose better ones.

    No events are read and nothing is changed: copy a proposal into the settings by hand.
    """
    if new_file is not None and Path(new_file).exists():
        raise _exists(new_file)
    settings = load_settings(config)
    name, _ = settings.source(source)
    work, now = daily_work(settings, name), utc_now()
    evidences, left_out_days, labels, proposals = _tried(
        work, _last_days(work, days, now), target, now, is_shown=form == "table"
    )
    first, last = evidences[0].day, evidences[-1].day
    text = fragment(name, proposals, target, (first, last))
    again = ("backfill", str(first), str(last), "--source", name)
    if new_file is not None and text:
        _write(new_file, text)
    objects = [_as_json(proposal) for proposal in proposals]
    if form == "json":
        print_json(
            {
                "source": name,
                "first_day": first.isoformat(),
                "last_day": last.isoformat(),
                "days": len(evidences),
                "left_out_days": left_out_days,
                "confirmed_days": len({evidence.day for found in labels.confirmed.values() for evidence in found}),
                "dismissed_days": len({day for days in labels.dismissed.values() for day in days}),
                "judge_again": " ".join(("telemetry-quality", *again)),
                "target_false_alarms_per_100_days": target,
                "guardrails": objects,
                "fragment": text,
                "written_to": new_file if text else None,
            }
        )
    elif form == "csv":
        print_csv(CSV_COLUMNS, objects)
    else:
        _print(proposals)
        _print_advice(text, new_file, again, config)
    return EXIT_HEALTHY


def _last_days(work: DailyWork, count: int, now: datetime) -> list[date]:
    """The last ``count`` days that have been scanned."""
    scans = work.store.scans(work.name, work.calendar.first_day, work.calendar.latest_day(now))
    return sorted({scan.day for scan in scans})[-count:]


def _tried(
    work: DailyWork, days: Sequence[date], target: float, now: datetime, *, is_shown: bool
) -> tuple[list[Evidence], int, Labels, list[Proposal]]:
    """The tried days, how many of ``days`` are left out, what people said about failures, and the proposals.

    Raises:
        RequestError: If too few days are left.
    """
    dimensions = work.source.schema.dimensions
    context = load_history(work.store, work.name, days, dimensions) if days else None
    usable = [day for day in days if context and day in context.totals and day not in context.left_out]
    if context is None or len(usable) < MINIMUM_DAYS:
        raise RequestError(
            f"tune requires at least {MINIMUM_DAYS} stored days that could be read and belong to no confirmed "
            f"incident, but {len(usable)} of {work.name} were found; run telemetry-quality backfill for earlier ones."
        )
    schema = work.source.schema
    steps = len(usable) * (1 + len(guardrails_of(schema)))
    with progress(f"Trying thresholds on {len(usable)} days", steps, is_shown=is_shown, unit="steps") as advance:
        evidences = []
        for evidence in stored_evidences(usable, context, work.policy, work.calendar, schema, now=now):
            evidences.append(evidence)
            advance(1)
        labels = _labels(work, days, context, now)
        trials = back_test(evidences, work.policy, schema, advance, labels)
    left_out_days = sum(day in context.left_out for day in days)
    return evidences, left_out_days, labels, [propose(trial, target) for trial in trials]


def _labels(work: DailyWork, days: Sequence[date], context: HistoricalContext, now: datetime) -> Labels:
    """What people said about the failures of ``days``, by guardrail."""
    dismissed: defaultdict[str, set[date]] = defaultdict(set)
    confirmed: defaultdict[str, set[date]] = defaultdict(set)
    known = {day for day in days if day in context.totals}
    for incident in incidents_of(work.store, work.name, min(days), max(days)):
        for failure in incident.failures:
            if failure.day in known and failure.day in incident.confirmed_days:
                confirmed[failure.guardrail].add(failure.day)
            elif failure.day in known and incident.is_dismissed:
                dismissed[failure.guardrail].add(failure.day)
    wanted = sorted(set().union(*confirmed.values()))
    evidence = {
        day: evidence_of(day, context, work.policy, work.calendar, work.source.schema, now=now) for day in wanted
    }
    return Labels(
        {name: frozenset(of_guardrail) for name, of_guardrail in dismissed.items()},
        {name: tuple(evidence[day] for day in sorted(of_guardrail)) for name, of_guardrail in confirmed.items()},
    )


def fragment(source: str, proposals: Sequence[Proposal], target: float, days: tuple[date, date]) -> str:
    """The changed thresholds as TOML; empty if none changes."""
    changed = [proposal for proposal in proposals if proposal.proposed is not None]
    if not changed:
        return ""
    lines = [
        f"# Proposed by telemetry-quality tune from the days {days[0]} to {days[1]};",
        f"# target: at most {target:g} in 100 days are false alarms.",
    ]
    tables: dict[str, list[str]] = {}
    for proposal in changed:
        threshold = proposal.proposed.threshold if proposal.proposed else None
        # The name of a rate's limit contains its table.
        table, _, key = str(proposal.setting).rpartition(".")
        why = textwrap.wrap(f"{proposal.today.threshold:g} today. {proposal.sentence}", LONGEST_COMMENT)
        tables.setdefault(table or "guardrails", []).extend([*(f"# {line}" for line in why), f"{key} = {threshold}"])
    for table, keys in tables.items():
        lines += [f"[sources.{source}.{table}]", *keys]
    return "\n".join(lines) + "\n"


def _write(file: str, text: str) -> None:
    try:
        with Path(file).open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        raise SettingsError(
            f"tune requires a writable folder, but {file} could not be written: {error.strerror}."
        ) from None


def _exists(file: str) -> SettingsError:
    return SettingsError(f"--write requires a new file, but {file} exists; remove it or pass another name.")


def _print(proposals: Sequence[Proposal]) -> None:
    tried = [fault for fault in Fault if any(_caught(proposal.today, fault) for proposal in proposals)]
    numbers = ("threshold", "days", "false alarms per 100", *(fault.label for fault in tried))
    rows = (
        (
            proposal.guardrail,
            _both(proposal, _threshold),
            str(proposal.today.judged_days),
            _both(proposal, _alarms),
            *(_both(proposal, lambda score, fault=fault: _caught(score, fault)) for fault in tried),
        )
        for proposal in proposals
    )
    write("Caught: % of the days with an inserted fault; 'a → b' is today's threshold and the proposed one.")
    print_listing([Column("guardrail"), *(Column(name, Kind.NUMBER) for name in numbers)], rows)
    for proposal in proposals:
        if proposal.setting is not None:
            write(proposal.sentence, lead=[f"  {proposal.guardrail:16}"])
    write(
        "An alarm outside confirmed incidents is false. A real incident that nobody confirmed counts as false; "
        "telemetry-quality incidents confirms it. What was dismissed is avoided, and what was confirmed must be found."
    )


def _print_advice(text: str, new_file: str | None, again: Sequence[str], config: str | None) -> None:
    if not text:
        write(f"No other threshold is proposed{', nothing was written' if new_file else ''}.")
        next_step("health", config=config)
        return
    write()
    for line in text.splitlines():
        write(line)
    write()
    written = f"Wrote this to {new_file}. " if new_file else ""
    write(
        f"{written}Nothing is applied: copy the keys you agree with into the same tables of your settings, and check "
        "them. New days are judged by them; the second command judges these days again."
    )
    next_step("check", config=config)
    next_step(*again, config=config, when="Then")


def _both(proposal: Proposal, cell: Any) -> str:
    """Today's and the proposed number, or one number if both read the same."""
    now = str(cell(proposal.today))
    then = now if proposal.proposed is None else str(cell(proposal.proposed))
    return now if now == then else f"{now or '?'} → {then or '?'}"


def _threshold(score: Score) -> str:
    return "" if score.threshold is None else f"{score.threshold:g} %"


def _alarms(score: Score) -> str:
    if score.alarms_per_100_days is None or score.alarms_interval is None:
        return ""
    low, high = score.alarms_interval
    return f"{score.alarms_per_100_days:.1f} ({low:.0f} to {high:.0f})"


def _caught(score: Score, fault: Fault) -> str:
    catch = score.catches.get(fault)
    return "" if catch is None or catch.percent is None else f"{catch.percent:.0f}"


def _as_json(proposal: Proposal) -> dict[str, Any]:
    return {
        "guardrail": proposal.guardrail,
        "setting": proposal.setting,
        "advice": proposal.advice.value,
        "sentence": proposal.sentence,
        "today": _score_as_json(proposal.today),
        "proposed": None if proposal.proposed is None else _score_as_json(proposal.proposed),
    }


def _score_as_json(score: Score) -> dict[str, Any]:
    catches = {fault: score.catches.get(fault) for fault in Fault}
    return {
        "threshold": score.threshold,
        "judged_days": score.judged_days,
        "unknown_days": score.unknown_days,
        "alarms": score.alarms,
        "dismissed_alarms": score.dismissed_alarms,
        "confirmed_days": score.confirmed_days,
        "found_days": score.found_days,
        "false_alarms_per_100_days": score.alarms_per_100_days,
        "false_alarms_interval": None if score.alarms_interval is None else list(score.alarms_interval),
        "caught_percent": {fault.value: catch.percent if catch else None for fault, catch in catches.items()},
        "tried_days": {fault.value: catch.tried if catch else None for fault, catch in catches.items()},
    }
