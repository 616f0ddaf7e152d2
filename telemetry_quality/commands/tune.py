"""The command ``telemetry-quality tune``: propose thresholds from the stored history; never apply them.

Exit codes: 0 the history was tried, whatever came of it; 2 too little of it is stored, or a mistake.

The JSON answer, every key always there::

    {"source": "web", "first_day": "2013-01-01", "last_day": "2013-12-31", "days": 365, "left_out_days": 0,
     "target_false_alarms_per_100_days": 1.0,
     "guardrails": [{"guardrail": "volume", "setting": "volume_deviation_percent", "advice": "tighten",
                     "sentence": "...", "today": SCORE, "proposed": SCORE or null}],
     "fragment": "[sources.web.guardrails]...", "written_to": null}

SCORE is ``{"threshold", "judged_days", "unknown_days", "alarms", "false_alarms_per_100_days", "caught_percent",
"tried_days"}``; the last two map the names of Fault to a number, null for faults that do not concern the guardrail.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from telemetry_quality.assembly import daily_work, utc_now
from telemetry_quality.commands.options import EXIT_HEALTHY, config_option, json_option, print_json, source_option
from telemetry_quality.console import console, progress
from telemetry_quality.core.guardrails.catalogue import guardrails_of
from telemetry_quality.core.guardrails.faults import Fault
from telemetry_quality.core.judging import load_history
from telemetry_quality.core.tuning.backtest import back_test, stored_evidences
from telemetry_quality.core.tuning.proposals import MINIMUM_DAYS, propose
from telemetry_quality.errors import RequestError, SettingsError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from telemetry_quality.core.daily import DailyWork
    from telemetry_quality.core.evidence import Evidence
    from telemetry_quality.core.tuning.backtest import Score
    from telemetry_quality.core.tuning.proposals import Proposal

MAXIMUM_DAYS = 1_096
"""Three years: all parts of all days are held in RAM at once."""


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
    help="False alarms per 100 days that each guardrail may raise.",
)
@click.option("--write", metavar="FILE", help="Write the proposal there; an existing file is never overwritten.")
@config_option
@source_option
@json_option
def tune(  # noqa: PLR0917
    days: int, target: float, write: str | None, config: str | None, source: str | None, as_json: bool
) -> int:
    """Try today's and other thresholds on the stored days and propose better ones.

    Nothing is read from the events and nothing is changed: a proposal is copied into the settings by hand.
    """
    if write is not None and Path(write).exists():
        raise _exists(write)
    settings = load_settings(config)
    name, _ = settings.source(source)
    work, now = daily_work(settings, name), utc_now()
    evidences, left_out_days, proposals = _tried(work, _last_days(work, days, now), target, now, is_shown=not as_json)
    text = fragment(name, proposals, target, (evidences[0].day, evidences[-1].day))
    if write is not None and text:
        _write(write, text)
    if as_json:
        print_json(
            {
                "source": name,
                "first_day": evidences[0].day.isoformat(),
                "last_day": evidences[-1].day.isoformat(),
                "days": len(evidences),
                "left_out_days": left_out_days,
                "target_false_alarms_per_100_days": target,
                "guardrails": [_as_json(one) for one in proposals],
                "fragment": text,
                "written_to": write if text else None,
            }
        )
    else:
        _print(proposals)
        _print_advice(text, write)
    return EXIT_HEALTHY


def _last_days(work: DailyWork, count: int, now: datetime) -> list[date]:
    """The last ``count`` days that were ever read."""
    scans = work.store.scans(work.name, work.calendar.first_day, work.calendar.latest_day(now))
    return sorted({one.day for one in scans})[-count:]


def _tried(
    work: DailyWork, days: Sequence[date], target: float, now: datetime, *, is_shown: bool
) -> tuple[list[Evidence], int, list[Proposal]]:
    """The days tried, how many of ``days`` are left out as confirmed incidents, and what came of it.

    Raises:
        RequestError: If too few days are left.
    """
    context = load_history(work.store, work.name, days) if days else None
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
        for one in stored_evidences(usable, context, work.policy, work.calendar, schema, now=now):
            evidences.append(one)
            advance(1)
        trials = back_test(evidences, work.policy, schema, advance)
    return evidences, sum(day in context.left_out for day in days), [propose(one, target) for one in trials]


def fragment(source: str, proposals: Sequence[Proposal], target: float, days: tuple[date, date]) -> str:
    """The changed thresholds as TOML, nothing where none changes."""
    changed = [one for one in proposals if one.proposed is not None]
    if not changed:
        return ""
    lines = [
        f"# Proposed by telemetry-quality tune from the days {days[0]} to {days[1]};",
        f"# target: at most {target:g} in 100 days are false alarms.",
    ]
    tables: dict[str, list[str]] = {}
    for one in changed:
        threshold = one.proposed.threshold if one.proposed else None
        # The name of a rate's limit says in which table it stands.
        table, _, key = str(one.setting).rpartition(".")
        line = f"{key} = {threshold}  # {one.today.threshold:g} today. {one.sentence}"
        tables.setdefault(table or "guardrails", []).append(line)
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
        raise SettingsError(f"tune requires a folder it may write to, but for {file} {error.strerror}.") from None


def _exists(file: str) -> SettingsError:
    return SettingsError(f"--write requires a new file, but {file} exists; remove it or pass another name.")


def _print(proposals: Sequence[Proposal]) -> None:
    from rich.table import Table  # noqa: PLC0415 - late: JSON readers do not need it

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("guardrail", no_wrap=True)
    table.add_column("threshold", justify="right")
    table.add_column("days", justify="right")
    table.add_column("false alarms per 100", justify="right")
    for fault in Fault:
        table.add_column(fault.label, justify="right")
    for one in proposals:
        table.add_row(
            one.guardrail,
            _both(one, _threshold),
            str(one.today.judged_days),
            _both(one, _alarms),
            *(_both(one, lambda score, fault=fault: _caught(score, fault)) for fault in Fault),
        )
    out = console()
    out.print("Caught in % of the days a fault was put into; 'a → b' is today's threshold and the proposed one.")
    out.print(table)
    for one in proposals:
        if one.setting is not None:
            out.print(f"  {one.guardrail}: {one.sentence}", markup=False, soft_wrap=True)
    out.print(
        "False means: outside confirmed incidents. A real incident that nobody confirmed counts as false; "
        "telemetry-quality incidents confirms it.",
        soft_wrap=True,
    )


def _print_advice(text: str, write: str | None) -> None:
    if not text:
        click.echo(f"No other threshold is proposed{', nothing was written' if write else ''}.")
        return
    click.echo()
    click.echo(text, nl=False)
    click.echo()
    written = f"Wrote this to {write}. " if write else ""
    click.echo(
        f"{written}Nothing is applied: copy the keys you agree with into the same tables of your settings, "
        "then run telemetry-quality check; days are judged by them from the next look on."
    )


def _both(proposal: Proposal, cell: Any) -> str:
    """Today's and the proposed number, once where they read the same."""
    now = str(cell(proposal.today))
    then = now if proposal.proposed is None else str(cell(proposal.proposed))
    return now if now == then else f"{now or '?'} → {then or '?'}"


def _threshold(score: Score) -> str:
    return "" if score.threshold is None else f"{score.threshold:g} %"


def _alarms(score: Score) -> str:
    return "" if score.alarms_per_100_days is None else f"{score.alarms_per_100_days:.1f}"


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
        "false_alarms_per_100_days": score.alarms_per_100_days,
        "caught_percent": {fault.value: one.percent if one else None for fault, one in catches.items()},
        "tried_days": {fault.value: one.tried if one else None for fault, one in catches.items()},
    }
