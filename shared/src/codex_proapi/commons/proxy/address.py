"""Which proxy leads to a host: parsed addresses, and the rules of `UPSTREAM_PROXY` and `NO_PROXY`."""

import ipaddress
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""Schemes of proxies, and the port of an address that names none."""
MOST_CREDENTIAL: Final = 255
"""Bytes of a user name or password, as SOCKS5 counts them in one byte."""
FAULT: Final = (
    "must be written http://, https://, socks5:// or socks5h://, then user:password@ if the proxy "
    "asks for one, and host:port; / ? # @ : % in user or password are percent-encoded (%40 for @)."
)
"""What is wrong with an address that cannot be read; it does not show the address."""


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """One proxy. Printing it shows neither user nor password."""

    scheme: str
    """`http`, `https`, `socks5` or `socks5h`."""
    host: str
    port: int
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"<Proxy {self.name}>"

    @property
    def name(self) -> str:
        """Its address without credentials, for logs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def speaks_socks(self) -> bool:
        """Whether it is asked by SOCKS5, else by `CONNECT`."""
        return self.scheme.startswith("socks")


def parse_proxy(text: str) -> Proxy:
    """Read an address; one without a scheme is an `http://` one, as curl reads it.

    Raises:
        ValueError: `FAULT`.
    """
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        proxy = _read(parts)
    except ValueError:
        raise ValueError(FAULT) from None
    if proxy is None:
        raise ValueError(FAULT)
    return proxy


def _read(parts: SplitResult) -> Proxy | None:
    """The proxy; None, or ValueError, if the address is none."""
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in {"", "/"}:
        return None
    username = unquote(parts.username or "", errors="strict")
    password = unquote(parts.password or "", errors="strict")
    long = max(len(username.encode()), len(password.encode())) > MOST_CREDENTIAL
    # In Basic authentication the first colon ends the user's name (RFC 7617).
    ambiguous = ":" in username and not parts.scheme.startswith("socks")
    parts.hostname.encode("idna")  # a name that no resolver takes is a UnicodeError
    odd = not parts.hostname.isprintable() or " " in parts.hostname
    if long or ambiguous or odd or parts.query or parts.fragment or parts.port == 0:
        return None
    return Proxy(
        scheme=parts.scheme,
        host=parts.hostname,
        port=parts.port or PORTS[parts.scheme],
        username=username,
        password=password,
    )


class ProxyRules(msgspec.Struct, frozen=True, kw_only=True):
    """Which proxy leads to a host."""

    explicit: Proxy | None = None
    """For every host; it overrules the others."""
    environment: Proxy | None = None
    """For every host but this machine and those in `no_proxy`."""
    no_proxy: str = ""
    """Comma-separated hosts, domains, addresses or address ranges, with an optional port; `*` is all."""

    def proxy_for(self, host: str, port: int) -> Proxy | None:
        """The proxy on the way to a host; None for the direct way."""
        if self.explicit is not None:
            return self.explicit
        if self.environment is None or _is_local(host) or self._is_exempt(host, port):
            return None
        return self.environment

    def proxy_for_url(self, url: str) -> Proxy | None:
        """The proxy on the way to the host of an `http` or `https` URL."""
        parts = urlsplit(url)
        return self.proxy_for(parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0))

    def _is_exempt(self, host: str, port: int) -> bool:
        rules = (rule.strip().lower() for rule in self.no_proxy.replace(" ", ",").split(","))
        name = _plain(host)
        return any(_matches(rule, name, port) for rule in rules if rule)


def _is_local(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _plain(host: str) -> str:
    """A host as rules name it: in lower case, without a last dot, IPv4 not inside IPv6."""
    host = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if address.version == 6 else None  # noqa: PLR2004 - IP's
    return str(mapped or address)


def _matches(rule: str, host: str, port: int) -> bool:
    """Whether one rule of `NO_PROXY` names a host."""
    if rule == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        pass  # one of them is a name, or the rule has a port
    name, colon, digits = rule.rpartition(":")
    if colon and digits.isdecimal() and (":" not in name or name.startswith("[")):
        return int(digits) == port and _matches(name, host, port)
    name = rule.strip("[]").removeprefix("*").removeprefix(".").rstrip(".")
    return host == name or host.endswith(f".{name}")
