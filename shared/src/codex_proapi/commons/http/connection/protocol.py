"""A client's HTTP/1.1 connection: parses requests, keeps deadlines and bounds, starts what answers.

`HttpServer` calls `sweep` of every connection once a second; no timer is used per connection or
request. Deadlines of bodies are `request_body`'s. uvicorn makes the connections and waits for their
end; what a request and its response are is in `request_cycle`.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from codex_proapi.commons.http.connection.heads import HeadRefused, read_head
from codex_proapi.commons.http.connection.known_head import KnownHead, known_head
from codex_proapi.commons.http.connection.request_cycle import RequestCycle
from codex_proapi.commons.http.connection.upgrading import UpgradingConnection
from codex_proapi.commons.http.limits import (
    HEAD_TOO_LARGE,
    FaultBody,
    HttpLimits,
)
from codex_proapi.commons.http.upgrade import (
    UPGRADE,
    WRITE_HIGH_WATER,
    UpgradeOffer,
    offers_websocket,
)

BODY_HIGH_WATER: Final = 64 * 1024
"""Bytes of a body that nobody has taken yet, from which the client waits, too."""

DirectHandler: TypeAlias = Callable[[RequestCycle], Coroutine[Any, Any, None] | None]
"""Gives what answers a request without ASGI; None for a request that the application answers.

It is called in the context of the task that will answer.
"""


def no_direct_handler(_: RequestCycle) -> None:
    """Have the application answer every request."""


def protocol_with(
    limits: HttpLimits, fault_body: FaultBody, direct: DirectHandler = no_direct_handler
) -> "type[HttpProtocol]":
    """The protocol of one service.

    Args:
        limits: limits of each connection.
        fault_body: makes the JSON body of the server's own errors.
        direct: answers the requests that do not go through the ASGI application.
    """
    members = {
        "__slots__": (),
        "limits": limits,
        "_head_limit": limits.head_bytes,
        "_head_count": limits.head_count,
        "fault_body": staticmethod(fault_body),
        "direct": staticmethod(direct),
    }
    return type("ServiceHttpProtocol", (HttpProtocol,), members)


class HttpProtocol(UpgradingConnection):
    """One connection of a client; `protocol_with` makes the class with a service's limits.

    Args:
        config: uvicorn's, for the application.
        server_state: uvicorn's: all connections and tasks, and the headers of every response.
        app_state: state of the lifespan, for ASGI.
    """

    __slots__ = (
        *("server_state", "write_paused", "_app", "_app_state", "_body_came", "_body_left"),
        *("_framing_bytes", "_head_began", "_head_bytes", "_heads_read", "_known_head"),
        *("_local", "_parser", "_url", "_writable"),
    )
    direct: DirectHandler
    _head_limit = _head_count = 0

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        connections = cast("set[Any]", server_state.connections)
        super().__init__(_loop or asyncio.get_running_loop(), connections)
        self.write_paused = False
        """Whether so much waits for the client that the application should wait, too."""
        self._app = config.loaded_app
        self.server_state = server_state
        self._app_state = app_state
        self._parser: Any = httptools.HttpRequestParser(self)
        # A request that is pipelined behind one that closes is dropped, the first one answered.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._local: tuple[str, int] | None = None
        self._url = b""
        self._writable: asyncio.Event | None = None
        self._head_began = self._body_came = False
        self._head_bytes = self._framing_bytes = self._heads_read = 0
        self._known_head: KnownHead | None = None
        self._body_left = 0
        """Bytes that are still to come of the body behind a known head."""

    def __repr__(self) -> str:
        return f"<HttpProtocol {self.client} head={self._in_head}>"

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        self._url, self._headers = b"", []
        self._in_head = self._head_began = True
        self._head_bytes = self._head_sweeps = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the path."""
        self._url += url
        self._head_bytes += len(url) + 4
        if self._head_bytes > self._head_limit:
            self._fault = HEAD_TOO_LARGE
            raise HeadRefused

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; refuse the head when it is one too many. Trailers are dropped.

        A trailer is no header (RFC 9110, 6.5.1): a proxy that watches over headers lets it pass.
        """
        if not self._in_head:
            return
        headers = self._headers
        headers.append((name.lower(), value))
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self._head_limit or len(headers) > self._head_count:
            self._fault = HEAD_TOO_LARGE
            raise HeadRefused

    def on_headers_complete(self) -> None:
        """End the head; start what answers, or let the request wait for the one before it."""
        self._in_head = False
        self._quiet_sweeps = 0
        self._heads_read += 1
        parser, headers, before = self._parser, self._headers, self.cycle
        version, method = parser.get_http_version(), parser.get_method()
        head = read_head(method, self._url, version, headers, self.client)
        keep_alive = version != "1.0" and parser.should_keep_alive() and not self._leaving
        cycle = self.cycle = RequestCycle(self, head, keep_alive)
        # HTTP/1.0 knows no upgrade (RFC 9110, 7.8): such a request is answered like any other.
        self._upgrade_offered = (
            version != "1.0" and parser.should_upgrade() and offers_websocket(method, headers)
        )
        if before is None or before.response_complete:
            self._answer(cycle)
        else:
            self.pause_reading()
            self.pipeline.append(cycle)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body; of a request that was answered it is dropped."""
        self._body_came = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and cycle.feed(body) > BODY_HIGH_WATER:
            self.pause_reading()

    def on_message_complete(self) -> None:
        """End a body, also one that nobody waited for."""
        if self.cycle is not None:
            self.cycle.end_body()

    # What answers.

    def _answer(self, cycle: RequestCycle) -> None:
        """Start the task that answers a request."""
        self._answering = cycle
        answering, context = None, contextvars.copy_context()
        if not self._upgrade_offered:
            try:
                answering = context.run(self.direct, cycle)
            except Exception as error:  # noqa: BLE001 - the parser would take it for the client's
                answering = _failing(error)
        if answering is None:
            answering = cycle.run_asgi(self._app, self._scope(cycle))
        task = self.loop.create_task(answering, context=context)
        self.server_state.tasks.add(task)
        task.add_done_callback(cycle.answered, context=context)  # it may log

    def _scope(self, cycle: RequestCycle) -> dict[str, Any]:
        """ASGI's scope."""
        head = cycle.head
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": head.http_version,
            "server": self._local,
            "client": head.client,
            "scheme": "http",
            "root_path": "",
            "method": head.method,
            "path": head.path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "headers": cycle.headers,
            "state": self._app_state.copy(),
        }
        if self._upgrade_offered:
            scope["extensions"] = {UPGRADE: UpgradeOffer(self._hand_over)}
        return scope

    def response_complete(self, cycle: RequestCycle) -> None:
        """Go on with the next request; of one answered before its body came the rest is received.

        Closing while a client still sends would reset the connection, and the answer be lost.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._answer(self.pipeline.pop(0))
        if self._refusal is not None and not self.pipeline:
            self.refuse(self._refusal)  # it has waited for the responses before it
        if self.read_paused:
            self.resume_reading()
        if self._leaving and cycle.keep_alive:
            self._linger()
        if cycle.more_body and cycle.head.expects_continue:
            self.transport.close()  # it may wait for `100 Continue` and never send its body

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; a full server first closes connections that wait for a request."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self.client = _address(transport.get_extra_info("peername"))
        self._local = _address(transport.get_extra_info("sockname"))
        self._siblings.add(self)
        if len(self._siblings) > self.limits.connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Read what has come; count the bytes of a head, or between pieces of a body, after that.

        The parser tells of a header only when it is complete, so an endless one must be counted
        here, before a body and after its last chunk. A head that began in these very bytes may
        follow the end of another request.
        """
        if self._discards:
            self._drop(len(data))
            return
        self._head_began = self._body_came = False
        if self._body_left:
            self._take_body(data)
        elif self._known_head is None or not self._take_request(self._known_head, data):
            self._parse(data)
        cycle = self.cycle
        if cycle is None or cycle.more_body or self._in_head:
            self._weigh_unfinished(len(data))
        else:
            self._framing_bytes = 0

    def _parse(self, data: bytes) -> None:
        """Feed the parser; remember the head that the bytes begin with, for the requests to come.

        A connection's first request may be its only one. From the second on it is tried less and
        less often, as there are clients, and proxies, whose heads are all different.
        """
        cycle, heads = self.cycle, self._heads_read + 1
        repeats = heads > 1 and not heads & (heads - 1)
        begins = not self._in_head and (cycle is None or not cycle.more_body)
        try:
            if self._upgrade_body is None:
                self._parser.feed_data(data)
            else:
                self._take_upgrade_body(data)
        except httptools.HttpParserUpgrade as offer:
            self._stop_at_upgrade(data[offer.args[0] :])
        except httptools.HttpParserError:
            self.refuse(self._fault)
        if not (repeats and begins and self._heads_read == heads):
            return
        cycle = self.cycle
        if cycle is not None and cycle.keep_alive and self._upgrade_body is None:
            self._known_head = known_head(data, self._url, cycle.head) or self._known_head

    def _take_request(self, known: KnownHead, data: bytes) -> bool:
        """Take a request that begins with a known head; False if it does not, or none begins here.

        The parser knows nothing of it: it is where it was, behind the end of a request.
        """
        before = self.cycle
        if not data.startswith(known.before) or before is None or not before.response_complete:
            return False
        ended = before.keep_alive and not (before.more_body or self._in_head or self._upgrade_body)
        found = known.read(data) if ended and self._refusal is None else None
        if found is None:
            return False
        written, start = found
        length = int(written)
        self._quiet_sweeps, self._upgrade_offered = 0, False
        cycle = RequestCycle(
            self, known.head, not self._leaving, known_head=known, body_length=written
        )
        self.cycle = cycle
        body = data[start:]
        if len(body) == length <= BODY_HIGH_WATER:
            cycle.more_body, cycle.pieces = False, [body]
            self._answer(cycle)
            return True
        self._answer(cycle)
        self._body_left = length
        self._take_body(body)
        return True

    def _take_body(self, data: bytes) -> None:
        """Take bytes of a body behind a known head; what follows them is the parser's."""
        left = self._body_left
        piece = data[:left]
        self._body_left = left - len(piece)
        if piece:
            self.on_body(piece)
        if not self._body_left:
            self.on_message_complete()
            if len(data) > left:
                self._parse(data[left:])

    def _weigh_unfinished(self, size: int) -> None:
        """Count bytes of which the parser has told nothing: it keeps them until it does."""
        if self._discards or self._refusal or self.transport.is_closing():
            return
        if self._in_head:
            if not self._head_began:
                self._head_bytes += size
            if self._head_bytes > 2 * self._head_limit:
                self.refuse(HEAD_TOO_LARGE)
            return
        cycle = self.cycle
        if self._body_came or cycle is None or not cycle.more_body:
            self._framing_bytes = 0
            return
        self._framing_bytes += size  # chunk extensions and trailers
        if self._framing_bytes > 2 * self._head_limit:
            if cycle.response_started:
                self.transport.close()
            else:
                self.refuse(HEAD_TOO_LARGE)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the requests that are under way or wait."""
        del exc
        self._siblings.discard(self)
        self._parser = None
        for cycle in {self._answering, self.cycle, *self.pipeline}:
            if cycle is not None:
                cycle.disconnect()
        self.pipeline.clear()
        self.resume_writing()
        # What refers to itself is left to the garbage collector, which holds up everybody.
        self.cycle = self._answering = None

    def pause_writing(self) -> None:
        """asyncio: too much waits for the client."""
        self.write_paused = True

    def resume_writing(self) -> None:
        """asyncio: the client has taken enough."""
        if not self.write_paused:
            return
        self.write_paused = False
        if self._writable is not None:
            self._writable.set()
        if self._answering is not None:
            self._answering.resume_writing()

    # What a request calls, beside `response_complete`.

    async def writable(self) -> None:
        """Wait until less waits for the client, or it has left."""
        if self._writable is None:
            self._writable = asyncio.Event()
        while self.write_paused:
            self._writable.clear()
            await self._writable.wait()


def _address(name: Any) -> tuple[str, int] | None:
    """Address and port of a TCP socket's end; None for another socket's."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None


async def _failing(error: Exception) -> None:
    """Fail as the answer, not its head, which the client has made right."""
    raise error
