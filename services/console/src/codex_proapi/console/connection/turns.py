"""One turn to the backend, by POST or over WebSocket, with its times. Its answer is not kept."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
import httpx
import msgspec
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from codex_proapi.commons.codex.endpoints import responses_url
from codex_proapi.commons.codex.minimal_request import (
    BETA,
    BETA_HEADER,
    LITE_HEADER,
    LITE_KEY,
    minimal_request,
)
from codex_proapi.commons.connections.http_client import open_stream
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.commons.proxy.address import ProxyRules
from codex_proapi.console.connection.comparison import Transport, Turn

TURN_SECONDS: Final = 120.0
CONNECT_SECONDS: Final = 15.0
QUESTION: Final = "Reply with the single word: ok"
READ_BYTES: Final = 64 * 1024
MOST_ANSWER: Final = 4 * 1024 * 1024
"""Most bytes of an answer that are read."""
_OPENING: Final = ("response.created", "response.in_progress", "response.queued", "keepalive", "")
"""Events without content."""
_WHOLE: Final = ("response.completed", "response.incomplete", "response.done")
_FAILED: Final = ("response.failed", "error")


class _Event(msgspec.Struct):
    type: str = ""
    status: int = 0
    error: Any = None
    response: Any = None


class TurnFailed(Exception):
    """There was no answer; the message is a code or a status."""


class Turns:
    """Asks one account of the backend the same short question.

    Args:
        headers: makes the account's headers, with a fresh credential.
        base_url: CODEX_BASE_URL.
        model: the model asked, as the backend lists it.
        lite: whether it takes the lite shape only.
        rules: which proxy leads to the backend.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        headers: Callable[[], Any],
        *,
        base_url: str,
        model: str,
        lite: bool,
        rules: ProxyRules,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._http = http
        self._headers = headers
        self._url = responses_url(base_url)
        self._model, self._lite = model, lite
        self._rules = rules
        self._outgoing = Outgoing()
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Turns of {self._model}>"

    async def take(self, transport: Transport) -> Turn:
        """One turn; a fault is part of what is returned."""
        session = str(uuid.uuid4())
        headers = {**await self._headers(), "session-id": session, "thread-id": session}
        body = minimal_request(self._model, QUESTION, session_id=session, lite=self._lite)
        ask = self._post if transport is Transport.HTTP else self._over_socket
        began, connected, first = self._clock(), 0.0, 0.0
        try:
            async with asyncio.timeout(TURN_SECONDS):
                async for kind in ask(headers, body):
                    now = self._clock() - began
                    connected = connected or (now if kind == "connected" else 0.0)
                    first = first or (0.0 if kind in {*_OPENING, "connected"} else now)
        except TurnFailed as failed:
            return Turn(transport=transport, fault=str(failed))
        except (httpx.HTTPError, httpcore.NetworkError, httpcore.ProxyError, OSError) as error:
            return Turn(transport=transport, fault=type(error).__name__)
        total = self._clock() - began
        return Turn(transport=transport, connected=connected, first=first or total, total=total)

    async def _post(self, headers: dict[str, str], body: dict[str, Any]) -> AsyncIterator[str]:
        """The types of the answer's events, as they come."""
        headers["accept"] = "text/event-stream"
        if self._lite:
            headers[LITE_HEADER] = "true"
        async with self._http.stream(
            "POST", self._url, json=body, headers=headers, timeout=TURN_SECONDS
        ) as answer:
            if answer.status_code != httpx.codes.OK:
                raise TurnFailed(f"http_{answer.status_code}")
            async for line in answer.aiter_lines():
                if line.startswith("data:") and (kind := _kind_of(line[5:].encode())):
                    yield kind
                    if kind in _WHOLE:
                        return
        raise TurnFailed("upstream_stream_truncated")

    async def _over_socket(
        self, headers: dict[str, str], body: dict[str, Any]
    ) -> AsyncIterator[str]:
        """`connected`, then the types of the frames, as they come."""
        if self._lite:
            body["client_metadata"] = {LITE_KEY: "true"}
        stream = await open_stream(
            self._url, self._rules, outgoing=self._outgoing, seconds=CONNECT_SECONDS
        )
        socket = _Socket(stream, self._url)
        try:
            await socket.upgrade({**headers, BETA_HEADER: BETA})
            yield "connected"
            await socket.send(msgspec.json.encode({"type": "response.create", **body}))
            async for message in socket.messages():
                kind = _kind_of(message)
                yield kind
                if kind in _WHOLE:
                    return
            raise TurnFailed("upstream_stream_truncated")
        finally:
            await stream.aclose()


class _Socket:
    """A WebSocket over a stream, for one turn."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, url: str) -> None:
        parts = urlsplit(url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        address = parse_uri(parts._replace(scheme=scheme).geturl())
        self._framing = ClientProtocol(address, max_size=MOST_ANSWER)
        self._stream = stream

    async def upgrade(self, headers: dict[str, str]) -> None:
        """Do the handshake. Raises TurnFailed."""
        request = self._framing.connect()
        request.headers.update(headers)
        self._framing.send_request(request)
        await self._flush()
        while True:
            for event in await self._events():
                if isinstance(event, Response):
                    if self._framing.handshake_exc is not None:
                        raise TurnFailed(f"http_{event.status_code}")
                    return

    async def send(self, message: bytes) -> None:
        """Send a message."""
        self._framing.send_text(message)
        await self._flush()

    async def messages(self) -> AsyncIterator[bytes]:
        """The messages that come, until the backend closes."""
        held = bytearray()
        while True:
            for event in await self._events():
                if isinstance(event, Frame) and event.opcode in {Opcode.TEXT, Opcode.CONT}:
                    held += event.data
                    if event.fin:
                        yield bytes(held)
                        held.clear()

    async def _events(self) -> list[Any]:
        """What has come. Raises TurnFailed at the end."""
        data = await self._stream.read(READ_BYTES)
        if not data:
            raise TurnFailed("upstream_stream_truncated")
        self._framing.receive_data(data)
        await self._flush()
        return self._framing.events_received()

    async def _flush(self) -> None:
        for data in self._framing.data_to_send():
            if data:
                await self._stream.write(data)


def _kind_of(data: bytes) -> str:
    """The type of an event. Raises TurnFailed for one that says that there is no answer."""
    try:
        event = msgspec.json.decode(data, type=_Event)
    except msgspec.MsgspecError:
        return ""
    if event.type not in _FAILED:
        return event.type
    fault = event.error
    if fault is None and isinstance(event.response, dict):
        fault = event.response.get("error")
    code = fault.get("code") or fault.get("type") if isinstance(fault, dict) else ""
    named = isinstance(code, str) and code.isascii() and code.replace("_", "").isalnum()
    raise TurnFailed(str(code)[:64] if named else event.type)
