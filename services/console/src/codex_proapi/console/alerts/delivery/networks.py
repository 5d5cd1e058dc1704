"""Which addresses a destination may have: public ones, and those the operator allows.

Looked at after the name was resolved, for each connection: a name that points inside (now, or only
the second time it is asked for) is refused like the address itself, however that is written.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from codex_proapi.commons.runtime.settings import Network

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as texts."""

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_NEVER_PUBLIC: Final = tuple(
    ipaddress.ip_network(each)
    for each in (
        *("64:ff9b:1::/48", "fec0::/10", "3fff::/20"),
        *("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24"),
    )
)
"""What `ipaddress` takes for public in one version or another, and is not."""


class AddressRefused(Exception):
    """A destination's address is not public, and the operator has not allowed it."""


class HostUnknown(Exception):
    """A destination's host has no address."""


def is_permitted(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether connections to an address may be made.

    Args:
        address: An address; one that has an IPv4 address inside counts as that one.
        allowed: Ranges that the operator allows beside public addresses.
    """
    address = _inner(address)
    if any(address.version == network.version and address in network for network in allowed):
        return True
    if any(address.version == net.version and address in net for net in _NEVER_PUBLIC):
        return False
    local = address.is_private or address.is_loopback or address.is_link_local
    return address.is_global and not (
        local or address.is_multicast or address.is_reserved or address.is_unspecified
    )


def is_inside(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether an address is in one of the ranges that the operator allows."""
    address = _inner(address)
    return any(address.version == network.version and address in network for network in allowed)


async def resolve_checked(
    host: str, port: int, *, allowed: Sequence[Network], resolve: Resolve | None = None
) -> Sequence[str]:
    """The addresses of a host, all of them permitted.

    Raises:
        HostUnknown: It has none.
        AddressRefused: One of them is not permitted.
    """
    found = await (resolve or _resolve)(host, port)
    if not found:
        raise HostUnknown
    for text in found:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            raise AddressRefused from None
        if not is_permitted(address, allowed):
            raise AddressRefused
    return found


async def _resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise HostUnknown from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _inner(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64), else the address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    teredo = address.teredo
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)
