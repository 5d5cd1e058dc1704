"""What is counted of connections to the backend, as real ones are opened, kept and closed."""

import asyncio
import pathlib
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from support.certificates import Authority
from support.proxies import proxy_server
from support.scripted_servers import WHOLE, Server, read_all

from codex_proapi.commons.connections.dialer import Unreachable
from codex_proapi.commons.proxy.address import parse_proxy
from codex_proapi.gateway.metrics.connection_figures import STEPS, ConnectionFigures
from codex_proapi.gateway.upstream.connection_pool import HttpClient


class Scene:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.figures = ConnectionFigures(self.registry)

    def value(self, name: str, **labels: str) -> Any:
        return self.registry.get_sample_value(f"gateway_upstream_{name}", labels)

    def steps(self) -> dict[str, int]:
        """How often each step was timed."""
        found = {step: self.value("connect_seconds_count", step=step) for step in STEPS}
        return {step: int(count) for step, count in found.items() if count}

    def open(self) -> tuple[int, int]:
        """Busy and idle ones."""
        busy, idle = (
            int(self.value("connections", kind="http", state=state)) for state in ("busy", "idle")
        )
        return busy, idle


async def test_a_connection_is_counted_once_and_is_busy_or_idle(server: Server) -> None:
    scene = Scene()
    server.scripts = [[WHOLE], [WHOLE]]
    client = HttpClient(f"http://127.0.0.1:{server.port}/", figures=scene.figures)
    assert scene.open() == (0, 0)

    first = await client.post({}, b"{}")
    await read_all(first)
    assert scene.open() == (0, 1)
    await read_all(await client.post({}, b"{}"))

    assert scene.value("connections_opened_total", kind="http") == 1
    assert scene.steps() == {"dns": 1, "tcp": 1}
    client.close()
    await asyncio.sleep(0)
    assert scene.open() == (0, 0)


async def test_a_connection_is_busy_until_its_answer_has_ended(server: Server) -> None:
    scene = Scene()
    server.scripts = [[b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab"]]
    client = HttpClient(f"http://127.0.0.1:{server.port}/", figures=scene.figures)

    await client.post({}, b"{}")

    assert scene.open() == (1, 0)
    client.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_the_way_to_a_proxy_is_one_step_and_tls_with_the_backend_another(
    scheme: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, scene, made = Authority(tmp_path), Scene(), Server()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    made.scripts = [[WHOLE]]
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=authority.server())
    port = listener.sockets[0].getsockname()[1]
    tls = authority.server() if scheme == "https" else None
    async with proxy_server(scheme, tls=tls) as proxy:
        client = HttpClient(
            f"https://localhost:{port}/",
            tls=authority.client(),
            proxy=parse_proxy(proxy.url),
            figures=scene.figures,
        )
        await read_all(await client.post({}, b"{}"))
        client.close()
        await asyncio.sleep(0)
    listener.close()
    for writer in made.connections:
        writer.transport.abort()

    assert scene.steps() == {"proxy": 1, "tls": 1}
    assert scene.value("connections_opened_total", kind="http") == 1


async def test_of_a_connection_that_fails_only_the_steps_before_are_timed() -> None:
    scene = Scene()
    listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    client = HttpClient(f"https://127.0.0.1:{port}/", figures=scene.figures)

    with pytest.raises(Unreachable) as refused:
        await client.post({}, b"{}")

    listener.close()
    assert refused.value.cause.startswith("tls: ")
    assert scene.steps() == {"dns": 1, "tcp": 1}
    assert scene.value("connections_opened_total", kind="http") == 0
    assert scene.open() == (0, 0)
