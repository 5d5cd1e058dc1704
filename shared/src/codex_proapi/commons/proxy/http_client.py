"""An httpx client whose connections go through the proxies that the rules name.

Every connection is a tunnel, those to plain `http` hosts too, so that a proxy can neither answer in
a host's place nor read more than the tunnel shows.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

import httpcore
import httpx

from codex_proapi.commons.proxy.address import Proxy, ProxyRules
from codex_proapi.commons.proxy.handshake import CLOSED, ProxyFailed, handshake_with

READ_BYTES: Final = 4096
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host; whatever it raises ends the connection."""
KEPT_SECONDS: Final = 5.0
"""How long an idle connection is kept, as httpx keeps it by default."""


def http_client(
    rules: ProxyRules,
    *,
    context: Callable[[], ssl.SSLContext],
    resolve: Resolve | None = None,
    **options: Any,
) -> httpx.AsyncClient:
    """An httpx client.

    Failures of a proxy are `httpx.ProxyError`, whose message begins with `proxy: `: nothing was sent
    to the host.

    Args:
        rules: Which proxy leads to a host.
        context: Makes the TLS contexts: one for hosts, one for `https://` proxies.
        resolve: Finds the addresses that connections are made to, also by a proxy; None leaves names
            to the system, or to the proxy.
        options: Further arguments of `httpx.AsyncClient`.
    """
    if rules.explicit is None and rules.environment is None and resolve is None:
        return httpx.AsyncClient(verify=context(), trust_env=False, **options)
    transport = _TunnelTransport(rules, hosts=context(), proxies=context(), resolve=resolve)
    return httpx.AsyncClient(transport=transport, trust_env=False, **options)


class _TunnelTransport(httpx.AsyncHTTPTransport):
    """httpx's transport with connections of ours."""

    def __init__(
        self,
        rules: ProxyRules,
        *,
        hosts: ssl.SSLContext,
        proxies: ssl.SSLContext,
        resolve: Resolve | None,
    ) -> None:
        super().__init__(verify=hosts, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=hosts,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=_TunnelBackend(rules, proxies, resolve),
        )


class _TunnelBackend(httpcore.AsyncNetworkBackend):
    """Makes httpcore's connections."""

    def __init__(self, rules: ProxyRules, context: ssl.SSLContext, resolve: Resolve | None) -> None:
        self._rules = rules
        self._context = context
        self._resolve = resolve
        self._tcp = httpcore.AnyIOBackend()

    def __repr__(self) -> str:
        return f"<_TunnelBackend by {self._rules!r}>"

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a host; `timeout` covers the handshake with its proxy."""
        proxy = self._rules.proxy_for(host, port)
        addresses = [host] if self._resolve is None else await self._resolve(host, port)
        if proxy is None:
            for address in addresses[:-1]:
                with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                    return await self._tcp.connect_tcp(
                        address, port, timeout, local_address, socket_options
                    )
            return await self._tcp.connect_tcp(
                addresses[-1], port, timeout, local_address, socket_options
            )
        try:
            async with asyncio.timeout(timeout):
                stream = await self._reach(proxy, socket_options)
                return await _tunnelled(stream, proxy, addresses[0], port)
        except (TimeoutError, httpcore.TimeoutException):
            raise httpcore.ConnectTimeout("proxy: timeout") from None

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def _reach(
        self, proxy: Proxy, socket_options: Iterable[Any] | None
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the proxy itself."""
        try:
            stream = await self._tcp.connect_tcp(
                proxy.host, proxy.port, socket_options=socket_options
            )
        except httpcore.ConnectError:
            raise httpcore.ProxyError("proxy: cannot be connected to") from None
        if proxy.scheme != "https":
            return stream
        try:
            return await stream.start_tls(self._context, proxy.host)
        except httpcore.ConnectError:
            raise httpcore.ProxyError("proxy: TLS with it failed") from None


async def _tunnelled(
    stream: httpcore.AsyncNetworkStream, proxy: Proxy, host: str, port: int
) -> httpcore.AsyncNetworkStream:
    """The connection, once the proxy has connected it to a host."""
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
