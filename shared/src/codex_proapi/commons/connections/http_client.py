"""An httpx client whose connections go through the proxies that the rules name.

Every connection is a tunnel, those to plain `http` hosts too, so that a proxy can neither answer in
a host's place nor read more than the tunnel shows.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import anyio.abc
import httpcore
import httpx
from httpcore._backends.anyio import AnyIOStream

from codex_proapi.commons.connections.addresses import AddressBook
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.commons.connections.sockets import connected_socket
from codex_proapi.commons.proxy.address import PORTS, Proxy, ProxyRules
from codex_proapi.commons.proxy.handshake import CLOSED, ProxyFailed, handshake_with

READ_BYTES: Final = 4096
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host; whatever it raises ends the connection."""
KEPT_SECONDS: Final = 30.0
"""How long an idle connection is kept; less than any known edge keeps it."""


def http_client(
    rules: ProxyRules,
    *,
    outgoing: Outgoing | None = None,
    resolve: Resolve | None = None,
    **options: Any,
) -> httpx.AsyncClient:
    """An httpx client.

    Failures of a proxy are `httpx.ProxyError`, whose message begins with `proxy: `: nothing was sent
    to the host.

    Args:
        rules: Which proxy leads to a host.
        outgoing: What the process' connections share; None for a client of its own.
        resolve: Finds the addresses that connections are made to, also by a proxy; None leaves names
            to the system, or to the proxy.
        options: Further arguments of `httpx.AsyncClient`.
    """
    transport = _Transport(rules, outgoing=outgoing or Outgoing(), resolve=resolve)
    return httpx.AsyncClient(transport=transport, trust_env=False, **options)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's transport with connections of ours."""

    def __init__(self, rules: ProxyRules, *, outgoing: Outgoing, resolve: Resolve | None) -> None:
        super().__init__(verify=outgoing.tls, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=outgoing.tls,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=_Backend(rules, outgoing, resolve),
        )


class _Backend(httpcore.AsyncNetworkBackend):
    """Makes httpcore's connections."""

    def __init__(self, rules: ProxyRules, outgoing: Outgoing, resolve: Resolve | None) -> None:
        self._rules = rules
        self._outgoing = outgoing
        self._resolve = resolve

    def __repr__(self) -> str:
        return f"<_Backend by {self._rules!r}>"

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a host; `timeout` covers the handshake with its proxy."""
        del local_address, socket_options  # nobody sets them
        proxy = self._rules.proxy_for(host, port)
        addresses = [host] if self._resolve is None else await self._resolve(host, port)
        try:
            async with asyncio.timeout(timeout):
                if proxy is None:
                    return await _stream_to(self._outgoing.book, addresses, port)
                stream = await self._reach(proxy)
                return await open_tunnel(stream, proxy, addresses[0], port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("proxy: timeout" if proxy else "timeout") from None
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def _reach(self, proxy: Proxy) -> httpcore.AsyncNetworkStream:
        """A connection to the proxy itself."""
        try:
            stream = await _stream_to(self._outgoing.book, [proxy.host], proxy.port)
        except OSError:
            raise httpcore.ProxyError("proxy: cannot be connected to") from None
        return await tls_with_proxy(stream, proxy, self._outgoing)


async def open_stream(
    url: str, rules: ProxyRules, *, outgoing: Outgoing, seconds: float
) -> httpcore.AsyncNetworkStream:
    """A connection to the host of an `http` or `https` URL, with TLS where it wants it.

    Raises httpcore's errors, `ProxyError` for those of a proxy; `seconds` are for each step.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    stream = await _Backend(rules, outgoing, None).connect_tcp(host, port, seconds)
    return (
        await stream.start_tls(outgoing.tls, host, seconds) if parts.scheme == "https" else stream
    )


async def tls_with_proxy(
    stream: httpcore.AsyncNetworkStream, proxy: Proxy, outgoing: Outgoing
) -> httpcore.AsyncNetworkStream:
    """The connection to a proxy, with TLS where it wants it. Raises httpcore.ProxyError."""
    if proxy.scheme != "https":
        return stream
    try:
        return await stream.start_tls(outgoing.tls, proxy.host)
    except httpcore.ConnectError:
        raise httpcore.ProxyError("proxy: TLS with it failed") from None


async def stream_over(sock: socket.socket) -> httpcore.AsyncNetworkStream:
    """A stream of httpcore's over a connected socket, which it closes."""
    return AnyIOStream(await anyio.abc.SocketStream.from_socket(sock))


async def _stream_to(
    book: AddressBook, hosts: Sequence[str], port: int
) -> httpcore.AsyncNetworkStream:
    """A connection to the first address of these that answers. Raises OSError."""
    endpoints = [endpoint for host in hosts for endpoint in await book.find(host, port)]
    try:
        sock = await connected_socket(book, endpoints)
    except OSError:
        for host in hosts:
            book.forget(host, port)
        raise
    return await stream_over(sock)


async def open_tunnel(
    stream: httpcore.AsyncNetworkStream, proxy: Proxy, host: str, port: int
) -> httpcore.AsyncNetworkStream:
    """The connection, once the proxy has connected it to a host. Raises httpcore.ProxyError."""
    handshake = handshake_with(proxy, host, port)
    try:
        await stream.write(handshake.begin())
        while not handshake.done:
            if reply := handshake.feed(await stream.read(READ_BYTES)):
                await stream.write(reply)
    except (ProxyFailed, httpcore.NetworkError) as error:
        await stream.aclose()
        said = str(error) if isinstance(error, ProxyFailed) else CLOSED
        raise httpcore.ProxyError(f"proxy: {said}") from None
    except BaseException:
        await stream.aclose()
        raise
    return stream
