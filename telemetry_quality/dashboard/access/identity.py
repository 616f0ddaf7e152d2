"""Identity: what is known of whoever sends a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may look.

    Attributes:
        csrf_token: What forms of this user's pages carry.
        session_hash: The fingerprint of the session; None for a token.
        is_token: Whether it is a machine, which may read and do nothing else.
    """

    account_name: str
    csrf_token: str = field(repr=False)
    session_hash: str | None = field(repr=False)
    is_token: bool


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from, as it is counted: of IPv6 the network of 64 bits, which one machine may own."""
    host = connection.client.host if connection.client else "unknown"
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address) or address.is_loopback:
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
