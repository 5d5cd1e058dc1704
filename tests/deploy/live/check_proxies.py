"""What each proxy must do with a stream: pass words on at once, and pass on that a client left."""

import asyncio
import contextlib
import pathlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

import aiohttp
import pytest
from bench.marker import ASKED, Marker
from deploy.live.clients import body, session
from deploy.live.stage import PROXIES, Process, Stage
from deploy.toolbox import DEPLOY, tool
from support.free_ports import free_port

WORDS = Marker(deltas=10, gap_ms=ASKED, per_write=1)
PATIENCE = 60
"""Seconds until a word that is under way has come, on a busy machine."""
WORDS_OF_413 = {"traefik": b"Request Entity Too Large"}
"""Of a proxy that has no words of ours to answer with."""
PROXY = ["nginx", "haproxy", "caddy", "traefik", "compose"]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(stage: Stage) -> Process:
    return stage.gateways(1)[0]


@pytest.fixture(scope="module")
def console(stage: Stage) -> Process:
    made = stage.service("console", "console", ADMIN_PASSWORD="invented-password")
    made.start(ready="/readyz")
    return made


@pytest.fixture(scope="module", params=PROXY)
def front(
    request: pytest.FixtureRequest, stage: Stage, gateway: Process, console: Process
) -> Process:
    if request.param == "compose":
        return compose_ingress(stage, gateway, console)
    return knowing_both(stage.proxy(request.param, [gateway, gateway], console))


def compose_ingress(stage: Stage, gateway: Process, console: Process) -> Process:
    """The ingress of the compose stack, with its own Caddyfile."""
    port = free_port()
    command = [tool("caddy"), "run", "--adapter", "caddyfile", "--config"]
    command.append(str(DEPLOY / "compose" / "Caddyfile"))
    made = stage.process(
        *("compose-ingress", command),
        port=port,
        SITE_ADDRESS=f"http://127.0.0.1:{port}",
        GATEWAYS=f"{gateway.address} {gateway.address}",
        CONSOLES=console.address,
        OUTER_PROXIES="127.0.0.1/32",
        HOME=str(stage.folder),
    )
    made.start()
    return knowing_both(made)


def knowing_both(proxy: Process) -> Process:
    """A proxy whose health checks have found gateway and console."""
    proxy.until(lambda: proxy.status("/readyz") == 200, seconds=180)
    proxy.until(lambda: proxy.status("/api/version") in (200, 401), seconds=180)
    return proxy


async def test_words_come_out_as_they_go_in(front: Process, stage: Stage) -> None:
    """The backend says the next word when the last one has come out: none waits for others."""
    url = f"http://{front.address}/v1/chat/completions"
    async with session() as client, client.post(url, json=body(WORDS)) as answer:
        assert answer.status == 200
        for _ in range(WORDS.deltas):
            await line_with(answer, b"tok@")
            stage.upstream.get("/bench/next")
        await line_with(answer, b"data: [DONE]")


async def line_with(answer: aiohttp.ClientResponse, part: bytes) -> None:
    """Read a stream up to a line."""
    async with asyncio.timeout(PATIENCE):
        async for line in answer.content:
            if part in line:
                return
    raise AssertionError(f"the answer ended before {part!r}")


@pytest.mark.short
async def test_a_client_that_leaves_ends_the_answer(front: Process, gateway: Process) -> None:
    abandoned = endings(gateway).get("abandoned", 0)
    async with session() as client:
        url = f"http://{front.address}/v1/chat/completions"
        async with client.post(url, json=body(Marker(600, 100, 1))) as answer:
            assert answer.status == 200
            await answer.content.readany()
        # Leaving the block closes the connection in the middle of the answer.

    left = time.monotonic()
    while endings(gateway).get("abandoned", 0) == abandoned:
        await asyncio.sleep(0.1)
        assert time.monotonic() - left < PATIENCE, "the proxy did not tell the gateway"


def endings(gateway: Process) -> dict[str, int]:
    """Settled exchanges by ending."""
    pattern = r'^gateway_exchanges_total\{[^}]*ending="(\w+)"[^}]*\} (\S+)'
    found: dict[str, int] = {}
    for ending, count in re.findall(pattern, gateway.get("/metrics"), re.MULTILINE):
        found[ending] = found.get(ending, 0) + int(float(count))
    return found


@pytest.mark.short
@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/metrics/", "/metrics?x=1", "//metrics", "/./metrics", "/%6detrics"),
        *("/v1/metrics", "/v1/../metrics", "/models/../metrics", "/METRICS", "/metrics/x"),
    ],
)
def test_figures_stay_inside(front: Process, path: str) -> None:
    # A bare socket: clients tidy paths before they send them.
    answer = raw(front, path)

    assert b"process_cpu_seconds" not in answer
    assert b"gateway_exchanges" not in answer
    assert b"console_http" not in answer
    assert b"200 OK" not in answer.split(b"\r\n", 1)[0]


def raw(front: Process, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", front.port), 60) as peer:
        request = f"GET {path} HTTP/1.1\r\nhost: {front.address}\r\nconnection: close\r\n\r\n"
        peer.sendall(request.encode())
        answer = b""
        while data := peer.recv(65536):
            answer += data
    return answer


@pytest.mark.short
@pytest.mark.parametrize(
    "path",
    [
        *("/v1/models", "/models", "/v1/models/", "/health", "/readyz"),
        *("/api/codex/usage", "/backend-api/wham/usage", "/wham/usage/"),
    ],
)
async def test_the_gateways_paths_reach_it(front: Process, path: str) -> None:
    async with session() as client, client.get(f"http://{front.address}{path}") as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["x-request-id"].startswith("req_")
        assert "gateway" in await answer.text() or "models" in path or "usage" in path


@pytest.mark.short
async def test_all_else_reaches_the_console(front: Process) -> None:
    async with (
        session() as client,
        client.get(f"http://{front.address}/api/version", allow_redirects=False) as answer,
    ):
        assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.short
def test_a_body_beyond_the_limit_gets_the_gateways_own_answer(front: Process) -> None:
    with socket.create_connection(("127.0.0.1", front.port), 60) as peer:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {front.address}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {66 << 20}\r\n\r\n"
        # Caddy reads a quarter of a megabyte of what is refused before it says so.
        peer.sendall(head.encode())
        with contextlib.suppress(OSError):
            peer.sendall(b'{"model":"gpt-5.5","messages":[' + b" " * (1 << 20))
        answer = b""
        words = WORDS_OF_413.get(front.name.partition("-")[0], b'"code":"request_too_large"')
        while words not in answer and (data := peer.recv(65536)):
            answer += data

    assert answer.startswith(b"HTTP/1.1 413"), answer
    assert words in answer


@pytest.mark.parametrize(("buffering", "patience"), [("off", PATIENCE), ("on", 1)])
def test_the_buffering_check_bites(
    stage: Stage, tmp_path: pathlib.Path, buffering: str, patience: float
) -> None:
    """The planted fault: an upstream that speaks HTTP/1.0, the only one whose words nginx holds."""
    text = (PROXIES / "nginx.conf").read_text()
    assert "proxy_buffering off;" in text
    text = text.replace("proxy_buffering off;", f"proxy_buffering {buffering};")

    upstream = OldUpstream(patience)
    front = nginx_before(stage, tmp_path, text, upstream.port)
    with upstream:
        peer = socket.create_connection(("127.0.0.1", front.port), PATIENCE)
        peer.sendall(b"GET /v1/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = b""
        while b"data: 0" not in answer:
            answer += peer.recv(65536)
        at_once = not upstream.ending.is_set()
        upstream.seen.set()
        peer.close()
    front.end()

    assert at_once == (buffering == "off")


class OldUpstream:
    """One word; the end, told by closing the connection, when it was seen or patience is over."""

    def __init__(self, patience: float) -> None:
        self.seen, self.ending = threading.Event(), threading.Event()
        self._patience = patience
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._serving = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seen.set()
        self._serving.join(PATIENCE)
        self._door.close()

    def _serve(self) -> None:
        peer, _ = self._door.accept()
        with peer, contextlib.suppress(OSError):
            peer.recv(65536)
            peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 0\n\n")
            self.seen.wait(self._patience)
            self.ending.set()


def nginx_before(stage: Stage, folder: pathlib.Path, text: str, upstream: int) -> Process:
    """An nginx with this configuration before an upstream."""
    port = free_port()
    text = text.replace("listen 1455", f"listen 127.0.0.1:{port}")
    for example in ("8080", "8090", "8081"):
        text = text.replace(f"127.0.0.1:{example}", f"127.0.0.1:{upstream}")
    config = folder / f"nginx-{port}.conf"
    config.write_text(
        f"daemon off; pid {folder}/{port}.pid; events {{}}\nhttp {{ access_log off;\n{text}}}\n"
    )
    command = [tool("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(config)]
    made = stage.process(f"nginx-{port}", command, port=port)
    made.start()
    return made
