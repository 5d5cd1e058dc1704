"""Whether a request came through a proxy, as the request itself tells it.

Whom to believe about the visitor is another question, and each service's own; here nobody needs to
be believed: a proxy that says so keeps its visitors from what is for the inside.
"""

import ipaddress
from collections.abc import Iterable

from codex_proapi.commons.runtime.settings import Network

MARKS = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip"})
"""Headers that proxies in front of a service add, and that a Prometheus inside does not."""


def was_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether any header of a request (names in lower case) is a proxy's."""
    return any(name in MARKS for name, _ in headers)


def client_address(
    peer: str, headers: Iterable[tuple[bytes, bytes]], trusted: Iterable[Network]
) -> str:
    """The address a request came from: its peer, or what trusted proxies say in X-Forwarded-For.

    Each proxy adds whom it was asked by at the end, so the last address that is no trusted proxy's
    counts; what stands before it a client may have written itself.
    """
    networks = tuple(trusted)
    found = _address(peer)
    if found is None:
        return peer
    hops = ",".join(
        value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"
    ).split(",")
    while hops and any(found in network for network in networks):
        hop = _address(hops.pop())
        if hop is None:
            break
        found = hop
    return str(found)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as proxies write it: some add brackets and a port."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
