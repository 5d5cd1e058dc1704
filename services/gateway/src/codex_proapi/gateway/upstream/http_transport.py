"""The HTTP transport: POST to the backend's Responses endpoint, the answer as server-sent events."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from codex_proapi.commons.codex.quota_parser import combined, quota_of_headers
from codex_proapi.commons.connections.deadlines import Deadlines
from codex_proapi.commons.connections.dialer import Unreachable
from codex_proapi.gateway.errors import Malformed, Truncated, UpstreamFault
from codex_proapi.gateway.formats.codex.refusals import Refusal, decode_refusal
from codex_proapi.gateway.policy.transport_faults import (
    CONNECTION_LOST,
    STALE_CONNECTION,
    TIMED_OUT,
    UNREACHABLE,
)
from codex_proapi.gateway.translation.stream.commit_gate import CommitGate, Failed
from codex_proapi.gateway.upstream.connection_pool import HttpClient
from codex_proapi.gateway.upstream.http_response import (
    ConnectionLost,
    HttpResponse,
    StaleConnection,
)
from codex_proapi.gateway.upstream.transport import (
    PreparedRequest,
    PushingStream,
    Receiver,
    ResponseStream,
    SilenceBudget,
    broke_off,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

OK: Final = 200
REFUSAL_BYTES: Final = 256 * 1024
"""Most bytes of a refusal's body that are read."""
CLOSING_TICKS: Final = 3
"""Seconds a finished stream may take to end by itself, so that its connection can be used again."""


class Source(Protocol):
    """An answer that is received: its headers, and its event stream piece by piece."""

    @property
    def headers(self) -> "Mapping[str, str]":
        """By lower-case name."""

    receiver: Receiver | None
    """Who is given what comes; None while it is kept for a reader."""

    def push_to(self, receiver: Receiver) -> None:
        """Give everything from now on to the receiver, at once what has come already."""


class Beginning:
    """The beginning of one answer, taken where it arrives: up to its commit point; a `Receiver`.

    The task that has asked waits for `outcome`: it is woken once, however many reads there are before.
    Faults are refusals, too: an error that was raised holds the frames it went through, and these
    the answer.

    Args:
        source: the answer.
        request: what was asked.
        silence: how long the source may be silent; every event begins it anew.
        deadlines: end it when that is over.
    """

    __slots__ = ("_deadlines", "_gate", "_silence", "_source", "outcome")

    def __init__(
        self,
        source: Source,
        request: PreparedRequest,
        silence: SilenceBudget,
        *,
        deadlines: Deadlines,
    ) -> None:
        self._source = source
        self._silence = silence
        other = request.on_other_model
        self._gate = CommitGate(request.model, other) if other else CommitGate()
        self._deadlines = deadlines
        self.outcome: asyncio.Future[bytes | Failed] = asyncio.get_running_loop().create_future()
        """The bytes up to the commit point, or the refusal that came instead."""
        deadlines.watch(self, silence.deadline)
        source.push_to(self)

    def __repr__(self) -> str:
        return f"<Beginning {'over' if self.outcome.done() else 'under way'}>"

    @property
    def deadline(self) -> float:
        """When the source has been silent for too long, by the loop's clock."""
        return self._silence.deadline

    def end(self, outcome: bytes | Failed | Exception) -> None:
        """Wake the task; what comes from now on is kept for a reader."""
        self._deadlines.forget(self)
        self._source.receiver = None
        if self.outcome.done():
            return  # the task was cancelled, and does not know it yet
        if isinstance(outcome, Exception):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)

    def received(self, data: bytes) -> bool:
        """Take what the source has received."""
        try:
            result = self._gate.feed(data)
        except UpstreamFault as error:
            self.fail(error)
            return True
        except Exception as error:  # noqa: BLE001 - it is the waiting task's
            self.end(error)
            return True
        if result is None:
            self._silence.restart()
        elif isinstance(result, bytes):
            self.end(result)
        else:
            refusal = result.refusal
            quota = combined(quota_of_headers(self._source.headers), refusal.quota)
            refusal = msgspec.structs.replace(refusal, quota=quota)
            self.end(msgspec.structs.replace(result, refusal=refusal))
        return True

    def ended(self, error: Exception | None) -> None:
        """Everything has come, without a word; or the connection broke, and this is why."""
        if error is not None:
            self.fail(error)
        else:
            too_early = "The backend closed its stream before it said a word."
            self.end(Failed(_fault(too_early, Truncated.code)))

    def fail(self, fault: Exception) -> None:
        """The answer has failed by a fault of the transport, or of the protocol."""
        self.end(Failed(refusal_of_fault(fault), goes_on=True))

    def expire(self) -> None:
        """Nothing has come in time."""
        self.fail(TimeoutError())


class HttpResponseStream(PushingStream, msgspec.Struct, eq=False):
    """A response that has reached the commit point; a `ResponseStream`."""

    answer: HttpResponse | None
    """What is received; None once it was released."""
    held: bytes
    """The bytes up to the commit point."""
    closing: "ClosingStreams"
    headers: "Mapping[str, str]"
    """Upstream's response headers, by lower-case name."""
    way: str
    """Why a POST has carried it, for the log."""

    def __repr__(self) -> str:
        return f"<HttpResponseStream with {len(self.held)} bytes held>"

    async def read(self) -> bytes:
        """All bytes received since the last call; b"" at the end. Raises Truncated if it breaks."""
        if self.answer is None:
            return b""
        try:
            return await self.answer.read()
        except ConnectionLost as error:
            raise broke_off(error) from error

    def push_to(self, receiver: Receiver) -> None:
        """Give everything from now on to the receiver, at once what has come already."""
        if self.answer is None:
            receiver.ended(None)
        else:
            self.answer.push_to(receiver)

    def pause(self) -> None:
        """Let nothing come until `resume`."""
        if self.answer is not None:
            self.answer.pause()

    def resume(self) -> None:
        """Go on after the receiver has paused the stream."""
        if self.answer is not None:
            self.answer.resume()

    def close(self) -> None:
        """Return the connection to the pool if the stream has ended, else close it.

        May be called repeatedly.
        """
        if self.answer is not None:
            self.answer.close()

    def release(self) -> None:
        """Let the stream of a whole answer end by itself; `close` has no effect after this.

        The last chunk of a chunked body often arrives after the last event. Waiting for it, at most
        CLOSING_TICKS seconds, keeps the connection reusable.
        """
        answer, self.answer = self.answer, None
        if answer is not None and not answer.complete:
            self.closing.leave(answer)


class ClosingStreams:
    """Finished streams whose last chunk has not come yet; ticks once a second."""

    def __init__(self) -> None:
        self._ticks: dict[HttpResponse, int] = {}

    def __repr__(self) -> str:
        return f"<ClosingStreams {len(self._ticks)} streams>"

    def leave(self, answer: HttpResponse) -> None:
        """Wait for the end of one stream, which has not come, without reading it."""
        answer.ending()
        self._ticks[answer] = 0

    def tick(self) -> None:
        """Count a second: drop streams that have ended, close those that took too long."""
        for answer, ticks in list(self._ticks.items()):
            if answer.closed or ticks >= CLOSING_TICKS:
                answer.close()
                del self._ticks[answer]
            else:
                self._ticks[answer] = ticks + 1

    def close(self) -> None:
        """Close all of them."""
        for answer in self._ticks:
            answer.close()
        self._ticks.clear()


class HttpTransport:
    """Sends requests by POST and reads server-sent events; a `Transport`.

    Args:
        client: posts to Responses.
        first_event: called with each account whose answer has reached its commit point, and the
            seconds since it was asked.
    """

    def __init__(
        self,
        client: HttpClient,
        *,
        first_event: Callable[[str, float], None] | None = None,
    ) -> None:
        self._client = client
        self._first_event = first_event
        self.closing_streams = ClosingStreams()
        self._deadlines = Deadlines()

    def __repr__(self) -> str:
        return f"<HttpTransport by {self._client!r}>"

    async def open(
        self,
        request: PreparedRequest,
        silence: SilenceBudget,
        *,
        why: str = "",
        began: float | None = None,
    ) -> ResponseStream | Refusal:
        """Send a request once; faults of the transport are returned as refusals of status 0.

        Args:
            request: what is sent.
            silence: how long upstream may be silent.
            why: why a POST carries it, for the log.
            began: when it was asked for, monotonic seconds, if another transport has tried before.
        """
        began = time.monotonic() if began is None else began
        answer: HttpResponse | None = None
        try:
            client, body, new = self._client, request.body, request.new_connection
            head = client.head(request.login, request.headers, len(body))
            connection = None if new else client.idle.take()
            if connection is None:
                connection = await client.connection(new=new, deadline=silence.deadline)
            answer = connection.send(head, body)
            beginning = Beginning(answer, request, silence, deadlines=self._deadlines)
            answer.on_head = partial(_judge_head, answer, request, beginning)
            if request.on_sent is not None:
                request.on_sent()
            opened = await beginning.outcome
            if answer.status != OK:
                async with asyncio.timeout_at(silence.deadline):
                    return await read_refusal(answer)
        except (TimeoutError, ConnectionError, UpstreamFault) as error:
            if answer is not None:
                answer.close()
            return refusal_of_fault(error)
        except BaseException:
            if answer is not None:
                answer.close()
            raise
        held = opened if isinstance(opened, bytes) else b""
        stream = HttpResponseStream(answer, held, self.closing_streams, answer.headers, why)
        if isinstance(opened, Failed):
            return _left(stream, opened)
        if self._first_event is not None:
            self._first_event(request.owner.account, time.monotonic() - began)
        return stream

    def close(self) -> None:
        """Close the streams that have been left to themselves."""
        self.closing_streams.close()
        self._deadlines.close()


def _judge_head(answer: HttpResponse, request: PreparedRequest, beginning: Beginning) -> None:
    """The head of an answer has come: it may refuse, or be a page of a captive portal or a proxy."""
    if answer.status != OK:
        beginning.end(b"")
    elif "text/html" in answer.headers.get("content-type", "").lower():
        beginning.fail(Malformed("A page came instead of the backend's event stream."))
    elif request.on_head is not None:
        request.on_head(answer.headers)


def _left(stream: HttpResponseStream, failed: Failed) -> Refusal:
    """The refusal of an answer that nobody will read."""
    if failed.goes_on:
        stream.close()
    else:
        stream.release()
    return failed.refusal


async def read_refusal(answer: HttpResponse) -> Refusal:
    """Read a refusal's body, at most `REFUSAL_BYTES`; the connection may then be used again."""
    body = bytearray()
    while len(body) <= REFUSAL_BYTES and (piece := await answer.read()):
        body += piece
    if not answer.at_end:
        answer.close()
    return decode_refusal(answer.status, answer.headers, bytes(body))


def refusal_of_fault(error: Exception) -> Refusal:
    """A fault of the transport, or of the protocol, as a refusal of status 0."""
    match error:
        case Unreachable():
            return _fault(_unreachable(error.cause), UNREACHABLE, cause=error.cause)
        case TimeoutError():
            return _fault("The backend did not answer in time.", TIMED_OUT)
        case UpstreamFault():
            return _fault(error.message, error.code)
        case StaleConnection():
            return _fault("The connection to the backend had ended.", STALE_CONNECTION)
        case _:
            return _fault("The connection to the backend was lost.", CONNECTION_LOST)


def _unreachable(cause: str) -> str:
    """What a client is told: a fault of the proxy is one that its operator can mend."""
    if cause.startswith("proxy: "):
        return f"The backend cannot be reached: the proxy on the way to it fails ({cause[7:]})."
    return "The backend cannot be reached."


def _fault(message: str, code: str | None, *, cause: str = "") -> Refusal:
    return Refusal(status=0, code=code or "", message=message, cause=cause)
