"""The server of both services on loopback with an application that does little."""

import asyncio
import contextlib
import re
from typing import Any

from support.free_ports import loopback_listener

from codex_proapi.commons.http.connection.protocol import DirectHandler, no_direct_handler
from codex_proapi.commons.http.limits import HttpLimits
from codex_proapi.commons.http.server import HttpServer, configure
from codex_proapi.gateway.api.router import fault_body
from codex_proapi.gateway.server.asgi import send_response
from codex_proapi.gateway.server.http_limits import HTTP_LIMITS
from codex_proapi.gateway.server.read_body import read_body

PATIENCE_SECONDS = 60.0


class App:
    """Answers everything; /slow waits until it is told to go on, /begun after its answer's head.

    /gone answers until its client has left.
    """

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.gone = asyncio.Event()
        self.drains: list[str] = []
        self.asked: list[str] = []
        self.headers: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        self.headers.append(scope["headers"])
        if scope["path"] == "/flood":
            start = {"type": "http.response.start", "status": 200, "headers": []}
            await send(start)
            while not self.go_on.is_set():
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
                await asyncio.sleep(0)
            return
        if scope["path"] == "/gone":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while (await receive())["type"] != "http.disconnect":
                pass
            self.gone.set()
            return
        if scope["path"] == "/begun":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await self.go_on.wait()
            await send({"type": "http.response.body", "body": b"begun"})
            return
        body = b"" if scope["path"] == "/early" else await read_body(receive, {})
        if scope["path"] == "/slow":
            await self.go_on.wait()
        await send_response(send, 200, b"%d" % len(body), request_id="req_1")

    def begin_drain(self) -> None:
        self.drains.append("begin")

    def end_drain(self) -> None:
        self.drains.append("end")
        self.go_on.set()


class Scene:
    def __init__(self, app: Any, server: Any, port: Any, serving: Any) -> None:
        self.app = app
        self.server = server
        self.port = port
        self.serving = serving

    @property
    def connections(self) -> Any:
        return list(self.server.server_state.connections)

    def sweep(self, count: int) -> None:
        for _ in range(count):
            for connection in self.connections:
                connection.sweep()

    async def connect(self) -> Any:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, request: Any, *, answers: int = 0) -> Any:
        """Everything that is answered until the server hangs up, or so many whole answers."""
        reader, writer = await self.connect()
        writer.write(request)
        answered = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not answers or whole_answers(answered) < answers:
                    if not (piece := await reader.read(65536)):
                        break
                    answered += piece
        writer.close()
        return answered


def whole_answers(data: bytes) -> int:
    """How many answers with a `content-length` are there to their end."""
    count = 0
    while found := re.search(rb"content-length: (\d+).*?\r\n\r\n", data, re.DOTALL):
        end = found.end() + int(found[1])
        if len(data) < end:
            break
        count, data = count + 1, data[end:]
    return count


def configuration(
    app: Any,
    *,
    port: Any = 0,
    drain: Any = 5.0,
    limits: HttpLimits = HTTP_LIMITS,
    direct: DirectHandler = no_direct_handler,
) -> Any:
    return configure(
        app,
        host="127.0.0.1",
        port=port,
        drain_seconds=drain,
        limits=limits,
        fault_body=fault_body,
        direct=direct,
    )


@contextlib.asynccontextmanager
async def serving(
    *,
    settle: Any = 0.0,
    drain: Any = 5.0,
    limits: HttpLimits = HTTP_LIMITS,
    app: Any = None,
    direct: DirectHandler = no_direct_handler,
) -> Any:
    app = app or App()
    listener = loopback_listener()
    port = listener.getsockname()[1]
    config = configuration(app, port=port, drain=drain, limits=limits, direct=direct)
    server = HttpServer(config, app, settle_seconds=settle, drain_seconds=drain)
    task = asyncio.ensure_future(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield Scene(app, server, port, task)
    finally:
        app.go_on.set()
        server.should_exit = server.force_exit = True
        await task


def a_head(*lines: Any) -> Any:
    return "\r\n".join(["GET / HTTP/1.1", "host: x", *lines, "", ""]).encode()
