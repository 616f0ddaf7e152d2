"""The settings of the health dashboard: ``[dashboard]``."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from telemetry_quality.connectors import Name, Secret, SettingsTable


class OidcSettings(SettingsTable):
    """Sign-in through an OpenID Connect provider, for accounts that exist in the store."""

    issuer: str
    client_id: Name
    client_secret: Secret
    claim: Name = "email"
    button: Name = "Sign in with single sign-on"

    @field_validator("issuer")
    @classmethod
    def _is_an_issuer(cls, value: str) -> str:
        parts = urlsplit(value)
        if not (
            parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)))
        ):
            raise ValueError("must be the provider's address and begin with https://")
        return value.rstrip("/")


class DashboardSettings(SettingsTable):
    """How the health dashboard is reached, and when it reports that its data is stale."""

    url: str = "http://127.0.0.1:3001"
    dagster_url: Name | None = None
    session_hours: Annotated[float, Field(gt=0, le=24 * 31)] = 12.0
    grace_minutes: Annotated[int, Field(ge=0)] = 120
    oidc: OidcSettings | None = None

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        return _web_address(value)

    @field_validator("dagster_url")
    @classmethod
    def _can_be_linked_to(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s\"'<>]+", value):
            raise ValueError("must be the address of Dagster's web server, such as https://dagster.example.org")
        return value and value.rstrip("/")

    @property
    def is_loopback(self) -> bool:
        """Whether the dashboard is reachable from this machine only, over plain HTTP."""
        return _is_loopback(urlsplit(self.url).hostname)


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


def _web_address(value: str) -> str:
    """An ``http(s)://host[:port]`` with nothing after the port; plain HTTP is allowed on this machine only."""
    try:
        parts = urlsplit(value)
        is_plain = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
        is_bare = parts.path in {"", "/"} and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        is_plain = is_bare = False
    if not (is_plain and is_bare):
        raise ValueError("must be an address such as https://telemetry.example.org, without a path")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("must begin with https:// unless it is this machine: passwords would travel unencrypted")
    return value.rstrip("/")
