"""What each proxy of deploy/proxies passes on, and to whom: the real ones, before invented servers."""

import asyncio
import pathlib
import re
from collections.abc import AsyncIterator

import pytest
from deploy.live.stage import SUFFIX, Process, aimed, proxy_command, proxy_text
from support.free_ports import free_port

LONG = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
"""The head of an answer that does not end."""


class Upstream:
    """An invented service: keeps the heads of requests, and begins an answer that never ends."""

    def __init__(self) -> None:
        self.port = free_port()
        self.heads: list[str] = []
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.split()[1] == "/readyz":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            writer.close()
            return
        self.heads.append(head)
        writer.write(LONG + b"1\r\n.\r\n")

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


@pytest.fixture
async def upstreams() -> AsyncIterator[list[Upstream]]:
    """Two gateways and a console; none is open yet."""
    made = [Upstream(), Upstream(), Upstream()]
    yield made
    for each in made:
        await each.close()


async def started(
    name: str, text: str, upstreams: list[Upstream], folder: pathlib.Path, port: int
) -> Process:
    *gateways, console = [each.address for each in upstreams]
    config = folder / f"{name}.{SUFFIX.get(name, 'conf')}"
    config.write_text(aimed(text, gateways, console))
    command = proxy_command(name, config, folder)
    made = Process(name, command, folder=folder, port=port, HOME=str(folder))
    await asyncio.to_thread(made.start)
    return made


async def asked(port: int, path: str) -> asyncio.StreamWriter:
    """Send a request and wait for the first byte of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: codex.example.com:{port}\r\n\r\n".encode())
    assert (await reader.read(12)) == b"HTTP/1.1 200"
    return writer


@pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy", "traefik"])
async def test_the_console_hears_the_port_a_browser_used(
    name: str, upstreams: list[Upstream], tmp_path: pathlib.Path
) -> None:
    for each in upstreams:
        await each.open()
    port = free_port()
    text = proxy_text(name, port)
    proxy = await started(name, text, upstreams, tmp_path, port)
    # Traefik listens before it has read its routes.
    await asyncio.to_thread(proxy.until, lambda: proxy.status("/readyz") == 200, seconds=60)

    peer = await asked(port, "/api/session")
    peer.close()
    await asyncio.to_thread(proxy.end)

    head = upstreams[2].heads[0].lower()
    host = re.findall(r"^(?:x-forwarded-)?host: (\S+)", head, re.MULTILINE)
    assert set(host) == {f"codex.example.com:{port}"}


@pytest.mark.parametrize(
    ("planted", "shares"), [("max_fails=0", [5, 5]), ("max_fails=1 fail_timeout=1s", [0, 10])]
)
async def test_a_gateway_that_is_back_gets_its_share_though_no_answer_has_ended(
    planted: str, shares: list[int], upstreams: list[Upstream], tmp_path: pathlib.Path
) -> None:
    """With counted failures a gateway stays out until one of its answers has ended."""
    back, other, console = upstreams
    await other.open()
    await console.open()
    port = free_port()
    text = proxy_text("nginx", port)
    assert text.count(" max_fails=0;") == 2
    text = text.replace("max_fails=0", planted)
    proxy = await started("nginx", text, upstreams, tmp_path, port)
    peers: list[asyncio.StreamWriter] = []
    # The first of these is tried where nobody listens.
    while len(peers) < 2:
        peers.append(await asked(port, "/v1/models"))
    for peer in peers:
        peer.close()
    other.heads.clear()
    await back.open()

    peers = [await asked(port, "/v1/models") for _ in range(10)]
    for peer in peers:
        peer.close()
    await asyncio.to_thread(proxy.end)

    found = [len(back.heads), len(other.heads)]
    assert sum(found) == 10
    assert abs(found[0] - shares[0]) <= 1
