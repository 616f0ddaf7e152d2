"""Identity: what is known about the sender of a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from telemetry_quality.storage.staff.changes import Actor
from telemetry_quality.storage.staff.lookup import Role

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from telemetry_quality.storage.staff.tokens import Scope


@dataclass(frozen=True, slots=True)
class User:
    """A person or a token that may use the dashboard.

    Attributes:
        csrf_token: The token in the forms of this user's pages.
        session_hash: The fingerprint of the session; None for a token.
        is_token: Whether the user is an API token, which may only read.
        role: What the user may do.
        scopes: What an API token may read.
    """

    account_name: str
    csrf_token: str = field(repr=False)
    session_hash: str | None = field(repr=False)
    is_token: bool
    role: Role
    scopes: frozenset[Scope] = frozenset()

    @property
    def may_act(self) -> bool:
        """Whether the user may decide about incidents and mark days."""
        return self.role.includes(Role.OPERATOR)

    @property
    def may_manage(self) -> bool:
        """Whether the user may manage accounts."""
        return self.role.includes(Role.ADMIN)


def address_of(connection: HTTPConnection) -> str:
    """The address by which failures and requests are counted; behind a trusted proxy, that of its client."""
    return network_of(connection.client.host if connection.client else "unknown")


def actor_of(connection: HTTPConnection) -> Actor:
    """Who changes an account by this request; the guard has recognised the user."""
    return Actor(connection.state.user.account_name, address_of(connection))


def network_of(host: str) -> str:
    """The address of one client; for IPv6 the /64 network, all of which one machine may own."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address) or address.is_loopback:
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
