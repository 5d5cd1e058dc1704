"""Connections through proxies, on both event loops, with and without TLS on either part of the way."""

import asyncio
import contextlib
import pathlib
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop
from support.certificates import Authority
from support.free_ports import free_port
from support.proxies import ProxyServer, proxy_server
from support.scripted_servers import WHOLE, Server, read_all

from codex_proapi.commons.connections import dialer
from codex_proapi.commons.connections.dialer import (
    RECEIVE_BYTES,
    RECEIVE_SEGMENTS,
    Unreachable,
    bound_receive_buffer,
)
from codex_proapi.commons.proxy.address import parse_proxy
from codex_proapi.gateway.upstream.connection_pool import HttpClient

LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
SCHEMES = pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])


@contextlib.asynccontextmanager
async def backend(tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """A server's port."""
    made = Server()
    made.scripts = [[WHOLE], [WHOLE]]
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for writer in made.connections:
            writer.transport.abort()
        await asyncio.sleep(0)


async def ask_twice(
    proxy: ProxyServer, *, server: ssl.SSLContext | None, trust: ssl.SSLContext
) -> list[bytes]:
    """What two requests through a proxy read."""
    async with backend(server) as port:
        scheme = "https" if server else "http"
        url = f"{scheme}://localhost:{port}/responses"
        client = HttpClient(url, tls=trust, proxy=parse_proxy(proxy.url))
        try:
            return [await read_all(await client.post({}, b"{}")) for _ in range(2)]
        finally:
            client.close()
            await asyncio.sleep(0)


@LOOPS
@SCHEMES
@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("piecewise", [False, True])
def test_a_connection_is_a_tunnel_and_is_kept(
    run: Any,
    scheme: str,
    encrypted: bool,
    piecewise: bool,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))

    async def ask() -> None:
        tls = authority.server() if scheme == "https" else None
        async with proxy_server(scheme, asks=True, tls=tls) as proxy:
            proxy.piecewise = piecewise
            server = authority.server() if encrypted else None
            said = await ask_twice(proxy, server=server, trust=authority.client())
            assert said == [b"ok", b"ok"]
            [target] = proxy.targets
            assert target.startswith("localhost:"), "the proxy resolves the name"

    run(ask())


@LOOPS
@SCHEMES
def test_a_certificate_is_checked_inside_the_tunnel(
    run: Any, scheme: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))

    async def ask() -> str:
        tls = authority.server() if scheme == "https" else None
        async with proxy_server(scheme, tls=tls) as proxy:
            other = authority.server(names=("elsewhere.test",))
            with pytest.raises(Unreachable) as refused:
                await ask_twice(proxy, server=other, trust=authority.client())
            return refused.value.cause

    assert run(ask()).startswith("tls: ")


async def cause_of(url: str) -> str:
    """Why a client with this proxy connects to nobody; what it says has no password."""
    client = HttpClient(f"http://127.0.0.1:{free_port()}/", proxy=parse_proxy(url))
    with pytest.raises(Unreachable) as refused:
        await client.post({}, b"{}")
    assert "secret" not in f"{refused.value} {refused.value.__cause__!r} {client!r}"
    assert await client.probe() == refused.value.cause
    return refused.value.cause


@LOOPS
@pytest.mark.parametrize(
    ("scheme", "user", "refusal", "cause"),
    [
        ("http", "", 0, "proxy: 407 authentication required"),
        ("http", "ada:secret@", 0, "proxy: 407 authentication required"),
        ("http", "", 403, "proxy: 403 forbidden"),
        ("http", "", 502, "proxy: 502 bad gateway"),
        ("http", "", 599, "proxy: 599"),
        ("socks5", "", 0, "proxy: authentication required"),
        ("socks5", "ada:secret@", 0, "proxy: authentication refused"),
        ("socks5h", "ada:p%40ss%3Aw%2Frd@", 2, "proxy: forbidden"),
        ("socks5h", "ada:p%40ss%3Aw%2Frd@", 5, "proxy: connection refused"),
    ],
)
def test_a_refusal_names_the_proxy(
    run: Any, scheme: str, user: str, refusal: int, cause: str
) -> None:
    async def ask() -> str:
        async with proxy_server(scheme, asks=True) as proxy:
            proxy.refusal = refusal
            return await cause_of(f"{scheme}://{user}localhost:{proxy.port}")

    assert run(ask()) == cause


@LOOPS
def test_a_proxy_that_is_away_or_another_server_is_told_apart(run: Any) -> None:
    async def ask() -> list[str]:
        async with proxy_server("socks5") as socks:
            return [
                await cause_of(f"http://127.0.0.1:{free_port()}"),
                await cause_of(f"https://localhost:{socks.port}"),
                await cause_of(f"http://localhost:{socks.port}"),
            ]

    away, plain, other = run(ask())

    assert away == "proxy: tcp: ConnectionRefusedError"
    assert plain.startswith("proxy: tls: ")
    assert other == "proxy: speaks no HTTP"


@LOOPS
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_the_time_to_connect_holds_for_the_handshake(
    run: Any, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialer, "CONNECT_SECONDS", 0.2)

    async def ask() -> str:
        async with proxy_server(scheme) as proxy:
            proxy.silent = True
            client = HttpClient("http://127.0.0.1:9/", proxy=parse_proxy(proxy.url))
            return await client.probe()

    # On a busy machine it may run out before the handshake begins.
    assert run(ask()).startswith("proxy: timeout: ")


@pytest.mark.parametrize(("segment", "most"), [(1000, 2 * RECEIVE_BYTES), (None, 16 * 65536)])
def test_a_receive_buffer_is_bounded_and_takes_some_segments(
    segment: int | None, most: int
) -> None:
    with socket.socket() as listener, socket.socket() as sock:
        if segment is not None:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sock.connect(listener.getsockname())

        bound_receive_buffer(sock)

        size = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        unit = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert RECEIVE_SEGMENTS * unit <= size <= most
