"""Connections over TLS, on both event loops: whom they trust, and how they end."""

import asyncio
import contextlib
import pathlib
import ssl
from typing import Any

import pytest
import uvloop
from support.certificates import Authority
from support.scripted_servers import WHOLE, chunked, read_all

from codex_proapi.commons.connections.dialer import Unreachable
from codex_proapi.gateway.upstream.connection_pool import (
    HttpClient,
)
from codex_proapi.gateway.upstream.http_response import ConnectionLost, StaleConnection


class Vault:
    """An https server with a certificate of its own authority, and what it was told."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.authority = Authority(folder)
        self.scripts: list[Any] = []
        self.connections: list[Any] = []
        self.agreed: list[Any] = []

    async def serve(self, reader: Any, writer: Any) -> None:
        self.connections.append(writer)
        self.agreed.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                for step in self.scripts.pop(0) if self.scripts else [WHOLE]:
                    if step in {"abort", "close"}:
                        getattr(writer.transport, step)()
                        return
                    writer.write(step)
                    await writer.drain()

    async def ask(self, *, tls: Any = None, host: str = "localhost", server: Any = None) -> Any:
        """What a client of this server reads, once for each script."""
        context = server or self.authority.server()
        context.set_alpn_protocols(["h2", "http/1.1"])
        listener = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=context)
        client = HttpClient(f"https://{host}:{listener.sockets[0].getsockname()[1]}/", tls=tls)
        try:
            times = max(1, len(self.scripts))
            return [await read_all(await client.post({}, b"x" * 70_000)) for _ in range(times)]
        finally:
            client.close()
            listener.close()
            for writer in self.connections:
                writer.transport.abort()
            await asyncio.sleep(0)


LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])


@LOOPS
def test_a_server_of_a_trusted_authority_is_spoken_to(run: Any, tmp_path: pathlib.Path) -> None:
    vault = Vault(tmp_path)
    vault.scripts = [[WHOLE], [chunked(b"one ", b"two")], [b"HTTP/1.1 200 OK\r\n\r\nall", "close"]]

    assert run(vault.ask(tls=vault.authority.client())) == [b"ok", b"one two", b"all"]
    assert len(vault.connections) == 1
    assert vault.agreed == [None]


@LOOPS
def test_a_kept_tls_connection_that_turns_out_dead_is_told_apart(
    run: Any, tmp_path: pathlib.Path
) -> None:
    for end in ("close", "abort"):
        vault = Vault(tmp_path)
        vault.scripts = [[WHOLE], [end], [WHOLE]]

        with pytest.raises(StaleConnection):
            run(vault.ask(tls=vault.authority.client()))
        assert len(vault.connections) == 1


@LOOPS
def test_a_tls_answer_that_breaks_off_says_so(run: Any, tmp_path: pathlib.Path) -> None:
    for end in ("close", "abort"):
        vault = Vault(tmp_path)
        vault.scripts = [[chunked(b"one ", end=False), end]]

        with pytest.raises(ConnectionLost):
            run(vault.ask(tls=vault.authority.client()))


@LOOPS
@pytest.mark.parametrize("wrong", ["name", "date", "authority", "store"])
def test_a_server_that_is_not_who_it_says_is_not_spoken_to(
    run: Any, wrong: Any, tmp_path: pathlib.Path
) -> None:
    vault = Vault(tmp_path)
    client, server = vault.authority.client(), vault.authority.server()
    if wrong == "name":
        server = vault.authority.server(names=("example.com", "127.0.0.2"))
    elif wrong == "date":
        server = vault.authority.server(days=-1)
    elif wrong == "authority":
        (tmp_path / "other").mkdir()
        client = Authority(tmp_path / "other").client()

    with pytest.raises(Unreachable):
        run(vault.ask(tls=None if wrong == "store" else client, server=server))
    assert vault.scripts == vault.connections == []


@LOOPS
def test_an_authority_of_ones_own_is_trusted_by_the_environment(
    run: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(vault.authority.path))

    assert run(vault.ask()) == [b"ok"]
    assert vault.agreed == ["http/1.1"]
