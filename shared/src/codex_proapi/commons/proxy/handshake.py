"""The handshake with a proxy, without I/O: bytes in, bytes out, until the tunnel is open.

Own code, as no library that we found reads a proxy's answer in whatever pieces it comes, says which
step failed, and leaves the connection to us (decision 0019).
"""

import base64
import enum
import ipaddress
from http import HTTPStatus
from typing import Final, Protocol

from codex_proapi.commons.proxy.address import Proxy

MOST_HEAD: Final = 16 * 1024
"""Bytes of the head of an answer to `CONNECT`."""

CLOSED: Final = "closed the connection"
"""What a proxy did that ended the connection before the tunnel was open."""

EARLY: Final = "sent bytes before the tunnel was used"
"""What a proxy did that would be taken for the host's first bytes, which no host of ours sends."""

_VERSION, _PASSWORD_VERSION = 5, 1
_NO_PASSWORD, _PASSWORD, _NOTHING_FITS = 0, 2, 255
_REPLIES: Final = {
    1: "general failure",
    2: "forbidden",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}
"""Reply codes of SOCKS5 (RFC 1928, section 6)."""


class ProxyFailed(ConnectionError):
    """The proxy refused, or what it said is no answer. The message has no credentials."""


class Handshake(Protocol):
    """One handshake, from `begin` until `done`."""

    done: bool

    def begin(self) -> bytes:
        """The first bytes to send."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the proxy, none at its end; gives bytes to send. Raises ProxyFailed."""
        ...


def handshake_with(proxy: Proxy, host: str, port: int) -> Handshake:
    """The handshake that has a proxy connect to a host, whose name the proxy resolves."""
    kind = SocksHandshake if proxy.speaks_socks else ConnectHandshake
    return kind(proxy, host, port)


class ConnectHandshake:
    """`CONNECT` of HTTP/1.1, with Basic authentication."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self._proxy = proxy
        name = host if host.isascii() else host.encode("idna").decode()
        self._authority = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
        self._received = b""
        self.done = False

    def __repr__(self) -> str:
        return f"<ConnectHandshake to {self._authority}>"

    def begin(self) -> bytes:
        """The request."""
        head = f"CONNECT {self._authority} HTTP/1.1\r\nhost: {self._authority}\r\n"
        if self._proxy.username or self._proxy.password:
            pair = f"{self._proxy.username}:{self._proxy.password}".encode()
            head += f"proxy-authorization: Basic {base64.b64encode(pair).decode()}\r\n"
        return f"{head}\r\n".encode("ascii")

    def feed(self, data: bytes) -> bytes:
        """Read the head of the answer; nothing is to be sent."""
        _check_not_ended(data)
        self._received += data
        if not self._received.startswith(b"HTTP/1."[: len(self._received)]):
            raise ProxyFailed("speaks no HTTP")
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            if len(head) > MOST_HEAD:
                raise ProxyFailed("speaks no HTTP")
            return b""
        status = head.split(b"\r\n", 1)[0].split(b" ", 2)[1:2]
        if not status or not status[0].isdigit() or len(status[0]) != 3:  # noqa: PLR2004 - HTTP's
            raise ProxyFailed("speaks no HTTP")
        return self._answered(int(status[0]), rest)

    def _answered(self, status: int, rest: bytes) -> bytes:
        if status < HTTPStatus.OK:  # interim: another answer follows
            self._received = b""
            return self.feed(rest) if rest else b""
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise ProxyFailed(f"{status} {_phrase(status)}".strip())
        if rest:
            raise ProxyFailed(EARLY)
        self.done = True
        return b""


def _check_not_ended(data: bytes) -> None:
    if not data:
        raise ProxyFailed(CLOSED)


def _phrase(status: int) -> str:
    """The standard words of a status: a proxy's own could hold anything."""
    try:
        return HTTPStatus(status).phrase.lower().removeprefix("proxy ")
    except ValueError:
        return ""


class _State(enum.Enum):
    METHOD = enum.auto()
    PASSWORD = enum.auto()
    REPLY = enum.auto()


class SocksHandshake:
    """SOCKS5, without or with a password."""

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self._proxy = proxy
        self._host = host
        self._port = port
        self._state = _State.METHOD
        self._received = b""
        self.done = False

    def __repr__(self) -> str:
        return f"<SocksHandshake {self._state.name}>"

    def begin(self) -> bytes:
        """The methods of authentication we have."""
        if self._proxy.username or self._proxy.password:
            return bytes((_VERSION, 2, _NO_PASSWORD, _PASSWORD))
        return bytes((_VERSION, 1, _NO_PASSWORD))

    def feed(self, data: bytes) -> bytes:
        """Read one answer after another; gives what is to be sent after the last one."""
        _check_not_ended(data)
        self._received += data
        if self._state is _State.METHOD:
            return self._method()
        if self._state is _State.PASSWORD:
            return self._password()
        return self._reply()

    def _method(self) -> bytes:
        if self._received[0] != _VERSION:
            raise ProxyFailed("speaks no SOCKS5")
        if not (taken := self._take(2)):
            return b""
        has_password = bool(self._proxy.username or self._proxy.password)
        if taken[1] == _NO_PASSWORD:
            self._state = _State.REPLY
            return self._request()
        if taken[1] == _PASSWORD and has_password:
            self._state = _State.PASSWORD
            user, password = self._proxy.username.encode(), self._proxy.password.encode()
            return bytes(
                (_PASSWORD_VERSION, len(user), *user, len(password), *password),
            )
        if taken[1] == _NOTHING_FITS:
            raise ProxyFailed(
                "password not accepted" if has_password else "authentication required"
            )
        raise ProxyFailed("asks for an authentication that is not known here")

    def _password(self) -> bytes:
        if not (taken := self._take(2)):
            return b""
        if taken[1] != 0:
            raise ProxyFailed("authentication refused")
        self._state = _State.REPLY
        return self._request()

    def _request(self) -> bytes:
        head, port = bytes((_VERSION, 1, 0)), self._port.to_bytes(2, "big")
        try:
            address = ipaddress.ip_address(self._host)
        except ValueError:
            name = self._host.encode("idna") if not self._host.isascii() else self._host.encode()
            return head + bytes((3, len(name))) + name + port
        return head + bytes((1 if address.version == 4 else 4,)) + address.packed + port  # noqa: PLR2004

    def _reply(self) -> bytes:
        found = self._received
        if self.done:
            raise ProxyFailed(EARLY)
        if found[0] != _VERSION:
            raise ProxyFailed("speaks no SOCKS5")
        if len(found) >= 2 and found[1]:  # noqa: PLR2004 - the code's place
            raise ProxyFailed(_REPLIES.get(found[1], f"refused with code {found[1]}"))
        if len(found) < 5:  # noqa: PLR2004 - up to the first byte of the address
            return b""
        sizes = {1: 4, 3: 1 + found[4], 4: 16}
        if found[3] not in sizes:
            raise ProxyFailed("speaks no SOCKS5")
        if self._take(4 + sizes[found[3]] + 2):
            if self._received:
                raise ProxyFailed(EARLY)
            self.done = True
        return b""

    def _take(self, count: int) -> bytes:
        """The next bytes, once all of them have come; else none."""
        if len(self._received) < count:
            return b""
        taken, self._received = self._received[:count], self._received[count:]
        return taken
