"""Makes connections to one host: resolves its name, tries its addresses, opens TLS, through a proxy or not.

Through a proxy the connection is a tunnel, and TLS with the host runs inside it: certificates are
checked as on the direct way.
"""

import asyncio
import socket
import ssl
import time
from typing import Final, Protocol, TypeVar

from codex_proapi.commons.connections.addresses import AddressBook
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.commons.connections.sockets import connected_socket
from codex_proapi.commons.connections.tls_transport import TlsTransport
from codex_proapi.commons.proxy.address import Proxy
from codex_proapi.commons.proxy.handshake import CLOSED, Handshake, ProxyFailed, handshake_with

CONNECT_SECONDS: Final = 5.0
"""Time-out from name resolution to the end of the TLS handshake, a proxy's handshake included."""
TURN_SECONDS: Final = 20.0
"""Most seconds that a connection waits for its turn (`pace`)."""
RECEIVE_BYTES: Final = 32 * 1024
"""The system's buffer of a connection's unread bytes, which is at most what one read takes.

Left to itself it grows to megabytes, of which uvloop takes 256 KiB at a time, and TLS keeps two
copies, for a client that reads slowly. At 20 ms to the backend it still lets 1.6 MB/s through, at 200 ms
160 kB/s: a thousand events a second.
"""
RECEIVE_SEGMENTS: Final = 4
"""The buffer holds at least so many segments of the connection.

A receiver whose free buffer is less than a segment announces none, and the sender then asks only
every 200 ms. Over loopback, to a proxy beside the gateway, a segment is 64 KiB; elsewhere 1.4 KiB.
"""
P = TypeVar("P", bound=asyncio.BaseProtocol)


class Unreachable(ConnectionError):
    """No connection could be made; nothing was sent."""

    def __init__(self, address: str, cause: str) -> None:
        super().__init__(f"{address}: {cause}")
        self.cause = cause
        """`dns`, `tcp`, `tls`, `proxy` or `timeout`, followed by the system's or the proxy's message."""


class ConnectionObserver(Protocol):
    """Observes how connections are opened."""

    def opened(self) -> None:
        """A connection is open, TLS included."""

    def took(self, step: str, seconds: float) -> None:
        """One step was completed: `dns`, `tcp`, `proxy` or `tls`."""


class Dialer:
    """Makes connections to one host and port.

    Args:
        host: a name or an address.
        port: its port.
        tls: the TLS context; None for plain TCP.
        proxy: the proxy on the way; None for the direct one.
        observer: is told of each connection, and of its steps.
        outgoing: what the process' connections share.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        proxy: Proxy | None,
        observer: ConnectionObserver | None = None,
        outgoing: Outgoing | None = None,
    ) -> None:
        outgoing = outgoing or Outgoing()
        self._host = host
        self._port = port
        self._tls = tls
        self._proxy = proxy
        self._observer = observer
        self._proxy_tls = outgoing.tls if proxy and proxy.scheme == "https" else None
        self._book = outgoing.book
        self.pace = outgoing.pace(host, port)
        """The pace of new connections to this host."""

    def __repr__(self) -> str:
        way = f" through {self._proxy!r}" if self._proxy else ""
        return f"<Dialer to {self._host}:{self._port}{way}>"

    async def connect(self, protocol: P, *, begun: bool = False) -> P:
        """Connect this protocol to the host. Raises Unreachable.

        Args:
            protocol: gets the connection.
            begun: whether it is this connection's turn already, by `pace`.
        """
        if not begun and not self.pace.begin() and not await self.pace.wait(TURN_SECONDS):
            raise self.unreachable("timeout: turn")
        try:
            await self._connect(protocol)
        finally:
            self.pace.end()
        self.pace.opened()
        if self._observer is not None:
            self._observer.opened()
        return protocol

    async def _connect(self, protocol: asyncio.BaseProtocol) -> None:
        step = _Step(self._observer)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if self._proxy is None:
                    await self._connect_directly(protocol, step)
                else:
                    await self._connect_through(self._proxy, protocol, step)
        except TimeoutError as error:
            in_proxy = step.name.removeprefix("proxy: ")
            word = "timeout: " if in_proxy == step.name else "proxy: timeout: "
            raise self.unreachable(f"{word}{in_proxy}") from error
        except ProxyFailed as error:
            raise self.unreachable(f"proxy: {error}") from error
        except OSError as error:
            if (
                isinstance(error, ConnectionRefusedError | ConnectionResetError)
                and not step.on_proxy
            ):
                self.pace.refused(by_edge=False)
            raise self.unreachable(f"{step.name}: {_words(error)}") from error
        step.end()

    def unreachable(self, cause: str) -> Unreachable:
        """The error of a connection that could not be made, and why."""
        return Unreachable(f"{self._host}:{self._port}", cause)

    async def _connect_directly(self, protocol: asyncio.BaseProtocol, step: "_Step") -> None:
        sock = await _socket_to(self._book, self._host, self._port, step)
        if self._tls:
            step.begin("tls")
        await _open(sock, protocol, self._tls, name=self._host)

    async def _connect_through(
        self, proxy: Proxy, protocol: asyncio.BaseProtocol, step: "_Step"
    ) -> None:
        step.on_proxy = True
        sock = await _socket_to(self._book, proxy.host, proxy.port, step)
        if self._proxy_tls:
            step.begin("tls")
        shaking = _HandshakeProtocol(handshake_with(proxy, self._host, self._port))
        transport = await _open(sock, shaking, self._proxy_tls, name=proxy.host)
        try:
            step.begin("handshake")
            await shaking.opened
            _check_open(transport)
            step.end()
            step.on_proxy = False
            step.begin("tls" if self._tls else "tcp")
            await self._hand_over(transport, protocol)
        except BaseException:
            transport.abort()
            raise

    async def _hand_over(
        self, transport: asyncio.Transport, protocol: asyncio.BaseProtocol
    ) -> None:
        """Give an open tunnel to its protocol, with TLS inside where the host wants it."""
        secured = (
            TlsTransport(protocol, self._tls, server_hostname=self._host) if self._tls else None
        )
        transport.pause_reading()  # uvloop reads in the way of the protocol it began with
        transport.set_protocol(secured or protocol)
        (secured or protocol).connection_made(transport)
        transport.resume_reading()
        if secured is not None:
            await secured.opened()


async def _open(
    sock: socket.socket, protocol: asyncio.BaseProtocol, tls: ssl.SSLContext | None, *, name: str
) -> asyncio.Transport:
    """Give a connected socket to its protocol, with TLS where there is a context. Raises OSError."""
    secured = TlsTransport(protocol, tls, server_hostname=name) if tls else None
    transport, _ = await asyncio.get_running_loop().create_connection(
        lambda: secured or protocol, sock=sock
    )
    if secured is None:
        return transport
    try:
        await secured.opened()
    except BaseException:
        secured.abort()
        raise
    return secured


def _check_open(transport: asyncio.Transport) -> None:
    """Raise ConnectionResetError if a connection ended before it was handed over."""
    if transport.is_closing():
        raise ConnectionResetError


class _Step:
    """Where an attempt to connect has come to; the observer is told how long each step took."""

    def __init__(self, observer: ConnectionObserver | None) -> None:
        self._observer = observer
        self._name = "dns"
        self._began = 0.0
        self._proxy_seconds = 0.0
        self.on_proxy = False
        """Whether it is one on the way to a proxy."""

    @property
    def name(self) -> str:
        """Its name in a cause; those on the way to a proxy begin with `proxy: `."""
        return f"proxy: {self._name}" if self.on_proxy else self._name

    def begin(self, name: str) -> None:
        """The step before is complete, the next one begins."""
        self.end()
        self._name = name
        self._began = time.monotonic()

    def end(self) -> None:
        """The step is complete; those on the way to a proxy count as one, until its last."""
        if not self._began or self._observer is None:
            return
        seconds, self._began = time.monotonic() - self._began, 0.0
        if not self.on_proxy:
            self._observer.took(self._name, seconds)
            return
        self._proxy_seconds += seconds
        if self._name == "handshake":
            self._observer.took("proxy", self._proxy_seconds)


class _HandshakeProtocol(asyncio.Protocol):
    """A connection until its proxy has opened the tunnel."""

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the tunnel is open; else it has the ProxyFailed."""
        self.opened.add_done_callback(lambda done: done.cancelled() or done.exception())

    def __repr__(self) -> str:
        return f"<_HandshakeProtocol {self._handshake!r}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment]  # a stream's, by its maker
        transport.write(self._handshake.begin())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Go on."""
        try:
            reply = self._handshake.feed(data)
        except ProxyFailed as error:
            self._fail(error)
            return
        if reply and self._transport is not None:
            self._transport.write(reply)
        if self._handshake.done and not self.opened.done():
            self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail."""
        del exc
        self._fail(ProxyFailed(CLOSED))

    def _fail(self, error: ProxyFailed) -> None:
        if self._transport is not None:
            self._transport.abort()
        if not self.opened.done():
            self.opened.set_exception(error)


async def _socket_to(book: AddressBook, host: str, port: int, step: _Step) -> socket.socket:
    """A socket that is connected to a host, with our options."""
    step.begin("dns")
    endpoints = await book.find(host, port)
    step.begin("tcp")
    try:
        sock = await connected_socket(book, endpoints)
    except OSError:
        book.forget(host, port)
        raise
    bound_receive_buffer(sock)
    return sock


def bound_receive_buffer(sock: socket.socket) -> None:
    """Bound the system's buffer of a connected TCP socket by RECEIVE_BYTES, or a few segments."""
    segment = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    size = max(RECEIVE_BYTES, RECEIVE_SEGMENTS * segment)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def _words(error: OSError) -> str:
    """The system's message without addresses: `ConnectionRefusedError`, `certificate has expired`."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message or type(error).__name__
    if isinstance(error, ssl.SSLError):
        return error.reason or type(error).__name__
    if isinstance(error, socket.gaierror):
        return error.strerror or type(error).__name__
    return type(error).__name__
