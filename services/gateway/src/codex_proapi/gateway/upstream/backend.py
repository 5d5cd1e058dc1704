"""The one way to the backend: a request goes out, an `Opening` or a `Refusal` comes back.

An opening has reached the commit point. What a refusal allows, and who is asked next, is decided
in `judgement` and `relay.dispatch`. The HTTP client stays behind this module.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from codex_proapi.commons.codex.quota import combined, quota_of_headers
from codex_proapi.gateway.errors import Truncated, UpstreamFault
from codex_proapi.gateway.formats.codex.refusals import Refusal, decode_refusal
from codex_proapi.gateway.policy.transport_faults import CONNECTION_LOST, TIMED_OUT, UNREACHABLE
from codex_proapi.gateway.translation.stream.commit_gate import CommitGate, Failed, Spoken, Waiting
from codex_proapi.gateway.upstream.http_client import HttpClient, Unreachable
from codex_proapi.gateway.upstream.http_response import ConnectionLost, HttpResponse

SILENCE_SECONDS: Final = 300.0
"""How long upstream may be silent; the CLI itself waits so long between two events."""
REFUSAL_BYTES: Final = 256 * 1024
"""How much of a refusal's body is read."""
LINGER_TICKS: Final = 3
"""Beats a finished stream may take to close by itself, so that its connection can be used again."""


class PreparedRequest(msgspec.Struct, frozen=True):
    """A request as it goes out."""

    headers: Mapping[str, str]
    body: bytes


class ResponseStream:
    """An upstream stream that has reached the commit point. Whoever has it closes it."""

    __slots__ = ("_answer", "_linger", "headers", "held")

    def __init__(self, answer: HttpResponse, held: bytes, linger: "ClosingStreams") -> None:
        self._answer = answer
        self._linger = linger
        self.held = held
        """The bytes up to the commit point."""
        self.headers: Mapping[str, str] = answer.headers
        """Upstream's answer headers, by lower-case name."""

    def __repr__(self) -> str:
        return f"<ResponseStream with {len(self.held)} bytes held>"

    async def read(self) -> bytes:
        """What has come since, as one piece; b"" at the end. Raises Truncated when it breaks."""
        try:
            return await self._answer.read()
        except ConnectionLost as error:
            raise Truncated("The backend broke off in the middle of its answer.") from error

    def close(self) -> None:
        """Give the connection back if the stream has ended, else cut it; any number of times."""
        self._answer.close()

    def release(self) -> None:
        """The answer is whole: let the stream close by itself, for a moment."""
        if not self._answer.closed:
            self._linger.add(self._answer)


class ClosingStreams:
    """Finished streams whose end has not come yet; a member of the pulse."""

    def __init__(self) -> None:
        self._ticks: dict[HttpResponse, int] = {}

    def __repr__(self) -> str:
        return f"<ClosingStreams {len(self._ticks)} streams>"

    def add(self, answer: HttpResponse) -> None:
        """Wait for the end of one stream without reading it."""
        self._ticks[answer] = 0

    def tick(self) -> None:
        """Forget those that have closed, cut those that have not in time."""
        for answer, ticks in list(self._ticks.items()):
            if answer.closed or ticks >= LINGER_TICKS:
                answer.close()
                del self._ticks[answer]
            else:
                self._ticks[answer] = ticks + 1

    def close(self) -> None:
        """Cut all of them."""
        for answer in self._ticks:
            answer.close()
        self._ticks.clear()


class Backend:
    """The backend's Responses endpoint."""

    def __init__(self, client: HttpClient, *, silence: float = SILENCE_SECONDS) -> None:
        self._client = client
        self._silence = silence
        self.closing_streams = ClosingStreams()

    def __repr__(self) -> str:
        return f"<Backend by {self._client!r}>"

    async def open(self, prepared: PreparedRequest) -> ResponseStream | Refusal:
        """Ask once. Transport faults come back as refusals of status 0."""
        answer: HttpResponse | None = None
        try:
            async with asyncio.timeout(self._silence) as patience:
                answer = await self._client.post(prepared.headers, prepared.body)
                if answer.status != 200:  # noqa: PLR2004 - HTTP's own number
                    return await _refusal_of(answer)
                opened = await self._until_it_speaks(answer, patience)
        except (TimeoutError, ConnectionError, UpstreamFault) as error:
            if answer is not None:
                answer.close()
            return refusal_of_fault(error)
        except asyncio.CancelledError:
            if answer is not None:
                answer.close()
            raise
        if isinstance(opened, Refusal):
            answer.close()
            return opened
        return ResponseStream(answer, opened, self.closing_streams)

    async def _until_it_speaks(
        self, answer: HttpResponse, patience: asyncio.Timeout
    ) -> bytes | Refusal:
        """The bytes up to the commit point, or the refusal that came instead of a word."""
        loop = asyncio.get_running_loop()
        hold_back = CommitGate()
        while data := await answer.read():
            match hold_back.feed(data):
                case Spoken(held=held):
                    return held
                case Failed(refusal=refusal):
                    told = combined(quota_of_headers(answer.headers), refusal.quota)
                    return msgspec.structs.replace(refusal, quota=told)
                case Waiting():
                    patience.reschedule(loop.time() + self._silence)
        return _fault("The backend closed its stream before it said a word.", Truncated.code)


async def _refusal_of(answer: HttpResponse) -> Refusal:
    """Read a refusal's body, not more than it deserves; the connection may then be used again."""
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
            return _fault("The backend cannot be reached.", UNREACHABLE)
        case TimeoutError():
            return _fault("The backend did not answer in time.", TIMED_OUT)
        case UpstreamFault():
            return _fault(error.message, error.code)
        case _:
            return _fault("The connection to the backend was lost.", CONNECTION_LOST)


def _fault(message: str, code: str | None) -> Refusal:
    return Refusal(status=0, code=code or "", message=message)
