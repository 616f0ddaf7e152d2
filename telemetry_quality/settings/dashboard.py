"""The settings of the health dashboard: ``[dashboard]``."""

from __future__ import annotations

import re
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from telemetry_quality.connectors import Name, Names, Secret, SettingsTable

LOOPBACK = ("127.0.0.1", "::1")


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
    idle_minutes: Annotated[int, Field(gt=0, le=60 * 24 * 31)] = 30
    grace_minutes: Annotated[int, Field(ge=0)] = 120
    trusted_proxies: Names = LOOPBACK
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

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            _network(text)
        return value

    @cached_property
    def trusted_networks(self) -> list[str]:
        """The networks of ``trusted_proxies``, also as they appear on a socket that listens on IPv6 for both."""
        found = [_network(text) for text in self.trusted_proxies]
        mapped = [f"::ffff:{net.network_address}/{96 + net.prefixlen}" for net in found if net.version == 4]
        return [*map(str, found), *mapped]

    def is_trusted(self, address: str) -> bool:
        """Whether an address is that of a trusted proxy."""
        try:
            return any(ip_address(address) in ip_network(network) for network in self.trusted_networks)
        except ValueError:
            return False

    @property
    def is_loopback(self) -> bool:
        """Whether the dashboard is reachable from this machine only, over plain HTTP."""
        return _is_loopback(urlsplit(self.url).hostname)


def _network(text: str) -> IPv4Network | IPv6Network:
    """The network of a proxy, or of one address."""
    try:
        found = ip_network(text)
    except ValueError:
        found = None
    if found is None or not found.prefixlen:
        raise ValueError("must be addresses or networks of proxies, such as 10.0.0.5 or 10.1.0.0/16")
    return found


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
