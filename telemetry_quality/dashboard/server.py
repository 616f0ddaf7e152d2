"""Serves the dashboard from this process: one worker on its own port, until a signal ends it.

Packages of the extra ``dashboard`` are imported only when needed, so that the command line starts fast.
"""

from __future__ import annotations

import gc
import socket
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from telemetry_quality.errors import RequestError, SettingsError

if TYPE_CHECKING:
    from telemetry_quality.settings import DashboardSettings, Settings

DEFAULT_PORT = 3001
EXTRA = (
    *("argon2", "authlib", "fastapi", "httpx2", "itsdangerous", "jinja2", "joserfc", "prometheus_client"),
    *("python_multipart", "uvicorn", "zxcvbn"),
)
"""The modules that the extra ``dashboard`` installs."""

BACKLOG = 2048
GRACE_SECONDS = 10
"""How long responses in progress may take to finish."""


def require_installed() -> None:
    """Raise SettingsError if the extra ``dashboard`` is not installed."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f'The dashboard requires the extra "dashboard", but {missing[0]} is not installed; '
            'run pip install "telemetry-quality[dashboard]".'
        )


def port_of(settings: DashboardSettings) -> int:
    """The default port: that of ``dashboard.url``, unless a proxy listens there."""
    return (urlsplit(settings.url).port if settings.is_loopback else None) or DEFAULT_PORT


def served_at_port(settings: Settings, port: int) -> Settings:
    """The settings with ``port`` in ``dashboard.url``, if it is a loopback address, since there is no proxy then."""
    dashboard = settings.dashboard
    if not dashboard.is_loopback or port == port_of(dashboard):
        return settings
    parts = urlsplit(dashboard.url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    url = f"{parts.scheme}://{host}:{port}"
    return settings.model_copy(update={"dashboard": dashboard.model_copy(update={"url": url})})


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on ``host``:``port``.

    Raises:
        RequestError: If the port is taken or the address is not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            # From now on nobody else can take the port, and early clients wait instead of being refused.
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise RequestError(
            f"A free port is required, but {host}:{port} cannot be used ({error.strerror}); "
            "stop the program that uses it or choose another port with --port."
        ) from None
    return listener


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; responses in progress are finished.

    Raises:
        StoreError: If the store's URL is wrong.
    """
    import uvicorn  # noqa: PLC0415 - an extra

    from telemetry_quality.dashboard.app import create_app  # noqa: PLC0415 - needs the extra

    server = uvicorn.Server(uvicorn.Config(create_app(settings), **server_options(settings.dashboard)))
    # What is loaded by now stays for good; scanning it for garbage would delay every request.
    gc.collect()
    gc.freeze()
    with suppress(KeyboardInterrupt):  # uvicorn raises it again once everything is closed
        server.run(sockets=[listener])
    if not server.started:
        raise RuntimeError("the dashboard did not start, and the lines above say why")


def server_options(settings: DashboardSettings) -> dict[str, Any]:
    """The options of uvicorn, which picks its fast event loop where it is installed."""
    from telemetry_quality.dashboard.edge import protocols  # noqa: PLC0415 - needs the extra

    return {
        **protocols(settings.is_trusted),
        # Strangers need not know which server this is.
        "server_header": False,
        # Other clients could claim any address and get that address throttled.
        "proxy_headers": True,
        "forwarded_allow_ips": settings.trusted_networks,
        # Paths and queries reveal who looked at what; that belongs in a proxy's log.
        "access_log": False,
        "log_config": None,
        "log_level": "warning",
        "lifespan": "on",
        # Pages only listen on their socket.
        "ws_max_size": 4096,
        "ws_max_queue": 4,
        "timeout_graceful_shutdown": GRACE_SECONDS,
    }
