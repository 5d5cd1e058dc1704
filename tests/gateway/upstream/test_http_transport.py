import asyncio
from typing import Any

import pytest
from aiohttp import web
from support.gateways import PATIENCE_SECONDS

from codex_proapi.gateway.errors import Truncated
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.translation.stream.commit_gate import CommitGate
from codex_proapi.gateway.upstream.connection_pool import HttpClient
from codex_proapi.gateway.upstream.http_connection import HttpConnection
from codex_proapi.gateway.upstream.http_transport import (
    CLOSING_TICKS,
    HttpResponseStream,
    HttpTransport,
)
from codex_proapi.gateway.upstream.transport import PreparedRequest, SilenceBudget

CREATED = b'event: response.created\ndata: {"type":"response.created","response":{}}\n\n'
DELTA = (
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
    b'"item_id":"m","output_index":0,"content_index":0,"delta":"hi"}\n\n'
)
FAILED = (
    b'event: response.failed\ndata: {"type":"response.failed","response":{"error":'
    b'{"code":"server_is_overloaded","message":"busy"}}}\n\n'
)


class BackendServer:
    """A backend on loopback that does what a test tells it to."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.go_on = asyncio.Event()
        self.gone = asyncio.Event()

    async def answer(self, request: Any) -> Any:
        body = await request.read()
        self.seen.append((dict(request.headers), body, id(request.transport)))
        return await getattr(self, request.path.strip("/"))(request)

    async def stream(self, request: Any, *pieces: Any, end: Any = True, headers: Any = None) -> Any:
        response = web.StreamResponse(
            headers={"content-type": "text/event-stream", "x-a": "b", **(headers or {})}
        )
        await response.prepare(request)
        try:
            for piece in pieces:
                await response.write(piece)
                await asyncio.sleep(0.01)
            if not end:
                await self.go_on.wait()
        except asyncio.CancelledError:
            self.gone.set()
            raise
        return response

    async def whole(self, request: Any) -> Any:
        return await self.stream(request, CREATED, DELTA, b"rest\n\n")

    async def endless(self, request: Any) -> Any:
        return await self.stream(request, CREATED + DELTA, end=False)

    async def silent(self, request: Any) -> Any:
        return await self.stream(request, CREATED, end=False)

    async def failed(self, request: Any) -> Any:
        return await self.stream(request, CREATED, FAILED)

    async def spent(self, request: Any) -> Any:
        headers = {"x-codex-primary-used-percent": "100", "x-codex-primary-window-minutes": "300"}
        return await self.stream(request, FAILED, headers=headers)

    async def portal(self, request: Any) -> Any:
        return web.Response(text="<html>sign in</html>", content_type="text/html")

    async def early(self, request: Any) -> Any:
        return await self.stream(request, CREATED)

    async def garbage(self, request: Any) -> Any:
        return await self.stream(request, b"event: response.created\ndata: {\n\n")

    async def refused(self, request: Any) -> Any:
        error = {"error": {"code": "usage_limit_reached", "message": "spent"}}
        return web.json_response(error, status=429, headers={"retry-after": "7"})

    async def endless_refusal(self, request: Any) -> None:
        response = web.StreamResponse(status=502)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async def dropped(self, request: Any) -> Any:
        request.transport.abort()
        return web.Response()

    async def cut(self, request: Any) -> Any:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(CREATED + DELTA)
        await self.go_on.wait()
        request.transport.abort()
        return response


def a_budget(seconds: float = 5.0) -> SilenceBudget:
    return SilenceBudget.begin(asyncio.get_running_loop().time, seconds=seconds)


class Scene:
    def __init__(self, backend: Any, port: Any) -> None:
        self.backend = backend
        self.port = port
        self.clients: list[HttpClient] = []

    def upstream(self, path: str) -> Any:
        client = HttpClient(f"http://127.0.0.1:{self.port}/{path}")
        self.clients.append(client)
        return HttpTransport(client)

    async def open(self, path: str, *, silence: Any = 5.0, body: Any = b"{}") -> Any:
        prepared = PreparedRequest({"authorization": "Bearer t", "user-agent": "codex"}, body)
        return await self.upstream(path).open(prepared, a_budget(silence))


@pytest.fixture
async def scene() -> Any:
    backend = BackendServer()
    app = web.Application(client_max_size=2**30)
    app.router.add_post("/{name}", backend.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    scene = Scene(backend, runner.addresses[0][1])
    yield scene
    backend.go_on.set()
    for client in scene.clients:
        client.close()
    await runner.cleanup()


async def read_all(opening: Any) -> Any:
    pieces = [opening.held]
    while piece := await opening.read():
        pieces.append(piece)
    return b"".join(pieces)


async def test_an_opening_holds_everything_up_to_the_first_word_and_gives_the_rest(
    scene: Any,
) -> None:
    opening = await scene.open("whole")

    assert isinstance(opening, HttpResponseStream)
    assert opening.held == CREATED + DELTA
    assert opening.headers["x-a"] == "b"
    assert await read_all(opening) == CREATED + DELTA + b"rest\n\n"


async def test_upstream_is_spoken_to_without_extras(scene: Any) -> None:
    await scene.open("refused")

    headers, body, _ = scene.backend.seen[0]
    assert {name.lower() for name in headers} == {
        *("host", "authorization", "user-agent", "content-length")
    }
    assert body == b"{}"


async def test_a_large_body_arrives_whole(scene: Any) -> None:
    body = bytes(range(256)) * 40_000

    await scene.open("refused", body=body)

    assert scene.backend.seen[0][1] == body


async def test_a_refusal_is_a_value(scene: Any) -> None:
    refusal = await scene.open("refused")

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code, refusal.retry_after) == (429, "usage_limit_reached", 7)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("failed", "server_is_overloaded"),
        ("early", "upstream_stream_truncated"),
        ("garbage", "upstream_malformed"),
        ("dropped", "upstream_connection_lost"),
    ],
)
async def test_whatever_comes_instead_of_a_word_is_a_refusal(
    scene: Any, path: str, code: str | None
) -> None:
    refusal = await scene.open(path)

    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    async with asyncio.timeout(60):
        while len(scene.clients[0]._all) != len(scene.clients[0].idle):
            await asyncio.sleep(0.001)


async def test_a_refusal_inside_a_200_brings_the_quota_of_its_headers(scene: Any) -> None:
    refusal = await scene.open("spent")

    assert isinstance(refusal, Refusal)
    assert refusal.quota is not None
    assert refusal.quota.spent_window is not None


async def test_silence_before_the_first_word_has_an_end(scene: Any) -> None:
    refusal = await scene.open("silent", silence=0.5)

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (0, "upstream_timeout")
    await asyncio.wait_for(scene.backend.gone.wait(), PATIENCE_SECONDS)


async def test_an_unreachable_backend_is_a_refusal_too(scene: Any) -> None:
    upstream = HttpTransport(HttpClient("http://127.0.0.1:9/responses"))

    refusal = await upstream.open(PreparedRequest({}, b"{}"), a_budget())

    assert isinstance(refusal, Refusal)
    assert refusal.code == "upstream_unreachable"


async def test_an_endless_refusal_is_not_read_to_its_end(scene: Any) -> None:
    refusal = await scene.open("endless_refusal")

    assert isinstance(refusal, Refusal)
    assert refusal.status == 502


async def test_a_stream_that_breaks_later_raises(scene: Any) -> None:
    opening = await scene.open("cut")
    assert isinstance(opening, HttpResponseStream)
    scene.backend.go_on.set()

    with pytest.raises(Truncated):
        await read_all(opening)
    opening.close()


async def test_closing_ends_the_stream_upstream(scene: Any) -> None:
    opening = await scene.open("endless")
    assert isinstance(opening, HttpResponseStream)

    opening.close()
    opening.close()

    await asyncio.wait_for(scene.backend.gone.wait(), PATIENCE_SECONDS)


async def test_giving_up_while_waiting_ends_the_stream_upstream(scene: Any) -> None:
    task = asyncio.ensure_future(scene.open("silent"))
    while not scene.backend.seen:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.03)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(scene.backend.gone.wait(), PATIENCE_SECONDS)


async def test_a_finished_stream_that_does_not_close_is_cut_after_a_moment(scene: Any) -> None:
    upstream = scene.upstream("endless")
    opening = await upstream.open(PreparedRequest({}, b"{}"), a_budget())
    assert isinstance(opening, HttpResponseStream)

    opening.release()
    for _ in range(CLOSING_TICKS):
        upstream.closing_streams.tick()
    assert not scene.backend.gone.is_set()
    upstream.closing_streams.tick()

    await asyncio.wait_for(scene.backend.gone.wait(), PATIENCE_SECONDS)
    assert repr(upstream.closing_streams) == "<ClosingStreams 0 streams>"


async def test_a_finished_stream_that_closes_gives_its_connection_back(scene: Any) -> None:
    upstream = scene.upstream("endless")
    opening = await upstream.open(PreparedRequest({}, b"{}"), a_budget())
    assert isinstance(opening, HttpResponseStream)
    opening.release()
    scene.backend.go_on.set()

    while not scene.clients[0].idle:
        await asyncio.sleep(0.005)
    upstream.closing_streams.tick()

    assert len(upstream.closing_streams._ticks) == 0


async def test_a_released_stream_is_not_cut_by_closing_it(scene: Any) -> None:
    upstream = scene.upstream("endless")
    opening = await upstream.open(PreparedRequest({}, b"{}"), a_budget())
    assert isinstance(opening, HttpResponseStream)

    opening.release()
    opening.close()
    scene.backend.go_on.set()

    while not scene.clients[0].idle:
        await asyncio.sleep(0.005)
    assert not scene.backend.gone.is_set()


async def test_a_page_in_place_of_a_stream_says_so(scene: Any) -> None:
    refusal = await scene.open("portal")

    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (0, "upstream_malformed")


def test_a_prepared_request_does_not_print_its_token() -> None:
    assert "secret" not in repr(PreparedRequest({"authorization": "Bearer secret"}, b"{}"))


async def test_lingering_streams_are_cut_at_the_end(scene: Any) -> None:
    upstream = scene.upstream("endless")
    opening = await upstream.open(PreparedRequest({}, b"{}"), a_budget())
    assert isinstance(opening, HttpResponseStream)
    opening.release()

    upstream.closing_streams.close()

    await asyncio.wait_for(scene.backend.gone.wait(), PATIENCE_SECONDS)


async def test_what_can_wait_until_the_request_was_sent_is_done_before_anything_has_come(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    reading, sending = CommitGate.feed, HttpConnection.send

    def feed(gate: CommitGate, data: bytes) -> Any:
        seen.append("came")
        return reading(gate, data)

    def send(connection: HttpConnection, head: bytes, body: Any) -> Any:
        seen.append("sent")
        return sending(connection, head, body)

    monkeypatch.setattr(CommitGate, "feed", feed)
    monkeypatch.setattr(HttpConnection, "send", send)
    prepared = PreparedRequest({}, b"{}", on_sent=lambda: seen.append("on sent"))
    opening = await scene.upstream("endless").open(prepared, a_budget())
    opening.close()

    assert seen == ["sent", "on sent", "came"]


async def test_a_fault_of_what_is_done_after_sending_closes_the_connection(scene: Scene) -> None:
    def fail() -> None:
        raise RuntimeError("no translator")

    prepared = PreparedRequest({}, b"{}", on_sent=fail)
    with pytest.raises(RuntimeError):
        await scene.upstream("dropped").open(prepared, a_budget())
    await asyncio.sleep(0.01)
    assert repr(scene.clients[-1]).endswith(" 0 connections>")
