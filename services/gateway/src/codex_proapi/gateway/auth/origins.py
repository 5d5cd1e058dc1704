"""Trusted origins and host names in open mode, in which no API key is required.

With keys every origin is served: keys are sent in headers, not cookies, so a page has only those it
was given. In open mode any web page in a browser near the gateway could spend quota and read
answers, by its own `Origin` or by DNS rebinding; so only trusted origins and host names are served.
"""

import functools
import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from codex_proapi.gateway.auth.caller import Caller
from codex_proapi.gateway.errors import OriginRefused

_ORIGIN: Final = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?")
_PORTS: Final = {"http": 80, "https": 443}

PRIVATE_ENDS: Final = (".internal", ".local", ".home.arpa", ".lan", ".svc")
"""Suffixes of names that cannot be registered in the public DNS: ICANN's private use, RFC 6762,
RFC 8375, and those that routers and clusters use."""

Origin = tuple[str, str, int]
"""Scheme, host and port."""


def origin_of(text: str) -> Origin | None:
    """The parts of an `Origin` header or of an address without path; None for anything else."""
    found = _ORIGIN.fullmatch(text.lower())
    if found is None:
        return None
    scheme, host, port = found.groups()
    return scheme, host.rstrip("."), int(port) if port else _PORTS[scheme]


class TrustedOrigins:
    """The origins and host names that are served without a key.

    Args:
        public_url: `PUBLIC_URL`; its origin is trusted.
        allowed: further origins (`ALLOWED_ORIGINS`).
    """

    def __init__(self, *, public_url: str, allowed: Iterable[str]) -> None:
        self._origins = {
            origin for text in (_base_of(public_url), *allowed) if (origin := origin_of(text))
        }
        self._names = {host for _, host, _ in self._origins}
        self._serves = functools.lru_cache(maxsize=64)(self._is_safe)

    def __repr__(self) -> str:
        return f"<TrustedOrigins {sorted(self._origins)}>"

    def check(self, caller: Caller) -> None:
        """Raise OriginRefused if `Host` or `Origin` of a request is not trusted."""
        host, origin = caller.host, caller.origin
        if host and not self._serves(host):
            raise OriginRefused(
                "While no API key is needed, requests are served under names of this machine and "
                "under PUBLIC_URL only. Create a key in the console, or set PUBLIC_URL."
            )
        if origin is not None and not self._trusts(origin, host):
            raise OriginRefused(
                "While no API key is needed, other web pages are not served. Create a key in the "
                "console, or name the page's origin in ALLOWED_ORIGINS."
            )

    def _is_safe(self, host: str) -> bool:
        """Whether a `Host` is safe from DNS rebinding: an IP address, a local name, or trusted.

        Names without a dot, or with a suffix of PRIVATE_ENDS, are not in the public DNS.
        """
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1].rstrip(".")
        local = _is_local(name) or "." not in name or name.endswith(PRIVATE_ENDS)
        return local or _address(name) is not None or name in self._names

    def _trusts(self, text: str, host: str) -> bool:
        """Whether an `Origin` is local, listed, or the same as the request's host."""
        origin = origin_of(text)
        if origin is None:
            return False
        scheme, name, port = origin
        return (
            _is_local(name)
            or origin in self._origins
            or (bool(host) and origin_of(f"{scheme}://{host}") == (scheme, name, port))
        )


def _base_of(url: str) -> str:
    """An address without its path."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.partition('/')[0]}"


def _is_local(name: str) -> bool:
    """Whether a host name is always the local machine (loopback, `localhost`)."""
    address = _address(name)
    if address is not None:
        return address.is_loopback
    return name == "localhost" or name.endswith(".localhost")


@functools.lru_cache(maxsize=256)
def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
