"""Headers that reverse proxies add, and the client address they report.

`was_forwarded` needs no trust: it serves to keep requests that came through any proxy away from
internal endpoints. `client_address` reads only what trusted proxies wrote.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

from codex_proapi.commons.runtime.settings import Network

MARKS = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip"})
"""Headers that reverse proxies add and that a Prometheus inside the network does not send."""


def was_forwarded(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request has a header that a proxy adds.

    Args:
        headers: Names (in lower case) and values.
    """
    return any(name in MARKS for name, _ in headers)


def client_address(
    peer: tuple[str, int] | None,
    headers: Iterable[tuple[bytes, bytes]],
    trusted: Sequence[Network],
) -> str:
    """The address a request came from: its peer, or what trusted proxies say in X-Forwarded-For.

    Each proxy appends the address of its own peer, so the last address that is not a trusted
    proxy's counts; a client may have forged those before it.

    Args:
        peer: Address and port of the connection's other end; None for a unix socket's, which has none.
        headers: Names (in lower case) and values.
        trusted: Networks of the proxies that are believed.
    """
    if peer is None:
        return ""
    told = b""
    for name, value in headers if trusted else ():
        if name == b"x-forwarded-for":
            told = b"%b,%b" % (told, value) if told else value
    return _behind_proxies(peer[0], told, trusted) if told else _plain(peer[0])


def _behind_proxies(peer: str, told: bytes, trusted: Sequence[Network]) -> str:
    found = _address(peer)
    if found is None:
        return peer
    hops = told.decode("latin-1").split(",")
    while hops and any(found in network for network in trusted):
        hop = _address(hops.pop())
        if hop is None:
            break
        found = hop
    return str(found)


@lru_cache(maxsize=1024)
def _plain(peer: str) -> str:
    """A peer's address as it is written everywhere: IPv4 within IPv6 is IPv4."""
    return str(_address(peer) or peer)


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
