"""httpx through real proxies: what is a tunnel, what is kept, and whose fault a failure is."""

import asyncio
import pathlib
from typing import Any

import httpx
import pytest
from support.certificates import Authority
from support.free_ports import free_port
from support.proxies import ProxyServer, proxy_server

from codex_proapi.commons.codex.token_endpoint import GrantUnavailable, TokenEndpoint
from codex_proapi.commons.connections.http_client import http_client
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.commons.proxy.address import ProxyRules, parse_proxy
from codex_proapi.commons.proxy.handshake import ConnectHandshake
from codex_proapi.simulator import Simulator


@pytest.fixture
def authority(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.path))
    return made


def client_by(url: str, **options: Any) -> httpx.AsyncClient:
    """A client whose every connection goes through this proxy."""
    rules = ProxyRules(explicit=parse_proxy(url))
    return http_client(rules, **options)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("piecewise", [False, True])
async def test_every_connection_is_a_tunnel_and_is_kept(
    authority: Authority, scheme: str, encrypted: bool, piecewise: bool
) -> None:
    tls = authority.server() if scheme == "https" else None
    async with (
        proxy_server(scheme, asks=True, tls=tls) as proxy,
        Simulator(tls=authority.server() if encrypted else None) as sim,
        client_by(proxy.url) as client,
    ):
        proxy.piecewise = piecewise
        url = sim.auth_url.replace("127.0.0.1", "localhost")
        answers = [await client.get(f"{url}/unknown") for _ in range(2)]

        assert [answer.status_code for answer in answers] == [404, 404]
        assert proxy.targets == [f"localhost:{sim.port}"]


async def test_without_a_proxy_the_way_is_direct() -> None:
    away = parse_proxy(f"http://127.0.0.1:{free_port()}")
    for rules in (ProxyRules(), ProxyRules(environment=away)):
        async with Simulator() as sim, http_client(rules) as client:
            assert (await client.get(sim.auth_url)).status_code == 404


async def test_a_host_whose_certificate_is_wrong_is_refused_inside_the_tunnel(
    authority: Authority,
) -> None:
    async with (
        proxy_server("http") as proxy,
        Simulator(tls=authority.server(names=("elsewhere.test",))) as sim,
        client_by(proxy.url) as client,
    ):
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await client.get(sim.auth_url)


def refuse(proxy: ProxyServer) -> None:
    proxy.refusal = 403


def nothing(_proxy: ProxyServer) -> None:
    """Leave it as it is: it asks for a password."""


@pytest.mark.parametrize(
    ("scheme", "change", "cause"),
    [
        ("http", nothing, "proxy: 407 authentication required"),
        ("http", refuse, "proxy: 403 forbidden"),
        ("socks5", nothing, "proxy: authentication refused"),
    ],
)
async def test_a_refusing_proxy_is_named_and_nothing_was_sent(
    scheme: str, change: Any, cause: str
) -> None:
    async with proxy_server(scheme, asks=True) as proxy:
        change(proxy)
        wrong = f"{scheme}://ada:secret@localhost:{proxy.port}"
        async with client_by(wrong) as client:
            with pytest.raises(httpx.ProxyError) as failed:
                await client.get("http://127.0.0.1:9/")
            endpoint = TokenEndpoint(client, issuer="http://127.0.0.1:9", client_id="", identity={})
            with pytest.raises(GrantUnavailable) as refused:
                await endpoint.refresh("token")

    assert str(failed.value) == cause
    assert not refused.value.sent, "the refresh token may be used again"
    assert "secret" not in f"{failed.value!r}{refused.value!r}"


async def test_a_proxy_that_is_away_or_none_is_named() -> None:
    async with proxy_server("socks5") as socks:
        for url, cause in (
            (f"http://127.0.0.1:{free_port()}", "proxy: cannot be connected to"),
            (f"https://127.0.0.1:{socks.port}", "proxy: TLS with it failed"),
            (f"http://127.0.0.1:{socks.port}", "proxy: speaks no HTTP"),
        ):
            async with client_by(url) as client:
                with pytest.raises(httpx.ProxyError) as failed:
                    await client.get("http://127.0.0.1:9/")
            assert str(failed.value) == cause


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_time_out_of_the_handshake_is_one_of_connecting(scheme: str) -> None:
    async with proxy_server(scheme) as proxy, client_by(proxy.url, timeout=0.2) as client:
        proxy.silent = True
        with pytest.raises(httpx.ConnectTimeout, match="proxy"):
            await client.get("http://127.0.0.1:9/")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_closes_instead_of_answering_is_named(scheme: str) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    listener = await asyncio.start_server(leave, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with client_by(f"{scheme}://127.0.0.1:{port}") as client:
        with pytest.raises(httpx.ProxyError, match="closed the connection"):
            await client.get("http://127.0.0.1:9/")
    listener.close()


async def test_addresses_of_ipv6_are_named_in_brackets() -> None:
    async with proxy_server("http") as proxy, client_by(proxy.url) as client:
        with pytest.raises(httpx.ProxyError):
            await client.get("http://[::1]:9/")

    [said] = ConnectHandshake(parse_proxy("http://p"), "::1", 9).begin().split(b"\r\n")[:1]
    assert said == b"CONNECT [::1]:9 HTTP/1.1"
    name = ConnectHandshake(parse_proxy("http://p"), "bücher.example", 443).begin()
    assert name.startswith(b"CONNECT xn--bcher-kva.example:443 HTTP/1.1\r\n")


async def test_those_of_one_process_share_a_tls_session(authority: Authority) -> None:
    outgoing = Outgoing()
    resumed = []
    async with Simulator(tls=authority.server()) as sim:
        for _ in range(3):
            async with (
                http_client(ProxyRules(), outgoing=outgoing) as client,
                client.stream("GET", sim.auth_url) as answer,
            ):
                await answer.aread()
                stream = answer.extensions["network_stream"]
                resumed.append(stream.get_extra_info("ssl_object").session_reused)

    assert resumed == [False, True, True]
