"""The command ``telemetry-quality dashboard``: serves the health dashboard and its JSON API until Ctrl-C."""

from __future__ import annotations

import click

from telemetry_quality.commands.options import EXIT_HEALTHY, config_option, json_option, say
from telemetry_quality.dashboard import server
from telemetry_quality.settings import load_settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help=f"Port to listen on (default: that of a local dashboard.url, otherwise {server.DEFAULT_PORT}).",
)
@config_option
@json_option
def dashboard(host: str, port: int | None, config: str | None, as_json: bool) -> int:
    """Serve the health dashboard and its JSON API to staff."""
    server.require_installed()
    settings = load_settings(config)
    port = port or server.port_of(settings.dashboard)
    settings = server.served_at_port(settings, port)
    accounts = _active_accounts(settings.store)
    with server.listen(host, port) as listener:
        address = f"{settings.dashboard.url}/health/"
        say(as_json, {"url": address, "active_accounts": accounts}, _greeting(address, accounts))
        server.serve(settings, listener)
    return EXIT_HEALTHY


def _active_accounts(store: str) -> int:
    from telemetry_quality.storage.staff.store import StaffStore  # noqa: PLC0415 - loads SQLAlchemy

    staff = StaffStore(store)
    try:
        return sum(account.is_active for account in staff.accounts())
    finally:
        staff.close()


def _greeting(address: str, accounts: int) -> str:
    if not accounts:
        who = "nobody has an account yet: run telemetry-quality staff add NAME"
    else:
        who = f"{accounts} {'account' if accounts == 1 else 'accounts'} can sign in"
    return f"Serving the dashboard at {address} ({who}); stop it with Ctrl-C."
