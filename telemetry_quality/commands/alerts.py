"""The command ``telemetry-quality alerts``: dispatches alerts, delivers messages, and shows what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from telemetry_quality.assembly import (
    deliver_messages,
    message_channel,
    open_store,
    surroundings,
    utc_now,
)
from telemetry_quality.commands.alert_log import dispatch_to_log
from telemetry_quality.commands.options import (
    EXIT_HEALTHY,
    EXIT_NOT_HEALTHY,
    Commands,
    config_option,
    json_option,
    list_format,
    print_json,
    print_list,
    say,
    source_option,
)
from telemetry_quality.console import Column, Kind, Part, Styled, next_step, print_listing, write
from telemetry_quality.core.messages.delivery import send_test
from telemetry_quality.core.messages.model import DeliveryOutcome
from telemetry_quality.errors import DeliveryError
from telemetry_quality.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry_quality.core.messages.model import Delivery

ROWS_SHOWN = 50

# Outcomes are never shown by colour alone, but also by a sign and a word.
SIGNS = {
    DeliveryOutcome.SENT: ("green", "✓"),
    DeliveryOutcome.FAILED: ("red", "✗"),
    DeliveryOutcome.CLAIMED: ("cyan", "→"),
    DeliveryOutcome.WITHHELD: (None, "-"),
}
COLUMNS = (Column("at (UTC)"), Column("channel"), Column("kind"), Column("outcome"), Column("message", Kind.WORDS))
CSV_COLUMNS = ("at", "channel", "kind", "outcome", "attempt", "title", "reason", "key", "sources")


@click.group(cls=Commands)
def alerts() -> None:
    """Dispatch alerts, and send messages about incidents."""


@alerts.command()
@click.option("--now", "is_hurried", is_flag=True, help="Send messages without waiting for other sources to fail.")
@config_option
@source_option
@json_option
def dispatch(is_hurried: bool, config: str | None, source: str | None, as_json: bool) -> int:
    """Dispatch pending alerts, such as those of a process that died before it could, and send messages that are due."""
    settings = load_settings(config)
    names = settings.names(source)
    store = open_store(settings)
    dispatched = dispatch_to_log(store, names)
    delivered = deliver_messages(settings, store, utc_now, is_hurried=is_hurried) if settings.alerts else None
    if as_json:
        print_json({"dispatched": dispatched, **({} if delivered is None else {"messages": delivered._asdict()})})
        return EXIT_HEALTHY
    write(f"{dispatched} alert{'' if dispatched == 1 else 's'} dispatched.")
    if delivered is not None:
        write(delivered.sentence())
        for failure in delivered.failures:
            write(failure, stderr=True)
        if delivered.waiting and not delivered.failures and not is_hurried:
            next_step("alerts", "dispatch", "--now", config=config, when="To wait for no other source")
    return EXIT_HEALTHY


@alerts.command("test")
@click.argument("channel")
@config_option
@json_option
def try_channel(channel: str, config: str | None, as_json: bool) -> int:
    """Send a test message to a channel, and say what happened."""
    settings = load_settings(config)
    target = message_channel(settings, channel)
    try:
        send_test(open_store(settings), target, surroundings(settings).dashboard, utc_now)
    except DeliveryError as error:
        failure = {"channel": channel, "sent": False, "reason_code": error.reason_code, "sentence": str(error)}
        say(as_json, failure, f"The test message to {channel} was not accepted: {error}")
        return EXIT_NOT_HEALTHY
    sentence = f"The test message to {channel} was accepted; look whether it has arrived."
    say(as_json, {"channel": channel, "sent": True, "reason_code": None, "sentence": sentence}, sentence)
    return EXIT_HEALTHY


@alerts.command("log")
@click.option("--channel", metavar="NAME", help="Only messages on this channel.")
@config_option
@list_format
def show_log(channel: str | None, config: str | None, form: str) -> int:
    """List the latest deliveries of messages, newest first: what was sent, and what failed and why."""
    settings = load_settings(config)
    if channel is not None:
        message_channel(settings, channel)
    rows = open_store(settings).latest_deliveries(channel, ROWS_SHOWN)
    objects = [row.as_json() for row in rows]
    print_list(form, "deliveries", objects, CSV_COLUMNS, lambda: _print_rows(rows))
    return EXIT_HEALTHY


def _print_rows(rows: Sequence[Delivery]) -> None:
    if not rows:
        write("No message has been sent yet.")
        return
    print_listing(COLUMNS, map(_cells, rows))


def _cells(row: Delivery) -> tuple[Part, ...]:
    colour, sign = SIGNS[row.outcome]
    again = f", attempt {row.attempt}" if row.attempt > 1 else ""
    reason = f": {row.reason}" if row.reason else ""
    outcome = Styled(f"{sign} {row.outcome.value}{again}", colour)
    return f"{row.at:%Y-%m-%d %H:%M:%S}", row.channel, row.kind.value, outcome, f"{row.title}{reason}"
