"""The simulated backend over WebSocket: GET /backend-api/codex/responses, upgraded.

As strict as the real one was seen to be: a beta header, `response.create` frames only, a previous
response only on the connection that made it, an hour for each connection. A frame that names a response
of another connection gets no answer but keepalives, and never an error. Stricter than that: a frame that
goes on from a response must have all its other fields.
"""

import asyncio
import contextlib
from typing import Any, Protocol

import msgspec
from aiohttp import WSMsgType, web

from codex_proapi.simulator.answers.simulated_model import answer_to
from codex_proapi.simulator.backend.events import Envelope
from codex_proapi.simulator.backend.socket_delivery import Left, deliver_frames, end_of
from codex_proapi.simulator.backend.streams import compose
from codex_proapi.simulator.http.authentication import authenticate
from codex_proapi.simulator.http.connections import reset
from codex_proapi.simulator.state.accounts import SimulatedAccount
from codex_proapi.simulator.state.faults import Fault
from codex_proapi.simulator.state.received_requests import ReceivedRequest
from codex_proapi.simulator.state.refusals import Circumstance, Refusal, detail, invalid, refuse
from codex_proapi.simulator.state.world import World
from codex_proapi.simulator.validation.request_rules import (
    LITE_HEADER,
    CheckedRequest,
    check_request,
)
from codex_proapi.simulator.validation.values import Refused

BETA = "responses_websockets=2026-02-06"
METHOD = "WEBSOCKET"
"""The method under which frames are recorded."""
LIMIT_HEADER = "x-codex-websocket-max-message-bytes"
LITE_KEY = "ws_request_header_x_openai_internal_codex_responses_lite"
_UNWANTED = ("content-type", "content-length", "content-encoding", LITE_HEADER)
_LIMIT_REACHED = "websocket_connection_limit_reached"
_NOT_FOUND = "previous_response_not_found"
_OF_SOCKETS = ("type", "generate", "previous_response_id")
_OF_TURNS = (*_OF_SOCKETS, "input", "client_metadata")


class Backend(Protocol):
    """The part of the backend over HTTP that is the same here."""

    def note(self, request: web.Request) -> ReceivedRequest: ...  # noqa: D102
    def refuse(  # noqa: D102
        self,
        received: ReceivedRequest,
        refusal: Refusal,
        account: SimulatedAccount | None = None,
    ) -> web.StreamResponse: ...
    def fault_of(self, account: SimulatedAccount, body: Any) -> Fault: ...  # noqa: D102
    def refusal_for(  # noqa: D102
        self, fault: Fault, account: SimulatedAccount, body: Any
    ) -> Refusal | None: ...
    def envelope(  # noqa: D102
        self, checked: Any, account: SimulatedAccount, answer: Any, fault: Fault, now: float
    ) -> Envelope: ...
    def headers(  # noqa: D102
        self, account: SimulatedAccount, envelope: Envelope | None, fault: Fault, now: float
    ) -> dict[str, str]: ...


class SocketBackend:
    """Upgrades requests and answers their frames."""

    def __init__(self, world: World, backend: Backend) -> None:
        self._world = world
        self._backend = backend

    def __repr__(self) -> str:
        return f"<SocketBackend with {len(self._world.socket_responses)} responses>"

    async def upgrade(self, request: web.Request) -> web.StreamResponse:
        """GET /responses: refuse, or upgrade and answer until it ends."""
        received = self._backend.note(request)
        if request.headers.get("upgrade", "").lower() != "websocket":
            return self._backend.refuse(received, detail("Method Not Allowed", status=405))
        account = authenticate(request.headers, self._world)
        if isinstance(account, Refusal):
            return self._backend.refuse(received, account)
        received.account = account.name
        fault = self._world.faults.take("upgrade", account=account.name)
        await self._world.wait(fault.delay)
        if fault.drop:
            received.end("dropped", self._world.clock())
            reset(request)
            return web.Response()
        refusal = self._backend.refusal_for(fault, account, None) or _misshaped(request)
        if refusal is not None:
            return self._backend.refuse(received, refusal, account)
        limit = self._world.socket_message_bytes
        ws = web.WebSocketResponse(
            max_msg_size=limit, compress=False, timeout=1.0, autoping=fault.pongs
        )
        headers = self._backend.headers(account, None, fault, self._world.clock())
        ws.headers.update({LIMIT_HEADER: str(limit), **headers})
        received.status = 101
        await ws.prepare(request)
        if fault.close:
            await ws.close(code=fault.close)
        await _Conversation(self._world, self._backend, request, ws, account).run()
        received.end("whole", self._world.clock())
        return ws


def _misshaped(request: web.Request) -> Refusal | None:
    """What is wrong with a handshake."""
    if BETA not in request.headers.get("openai-beta", ""):
        return detail("OpenAI-Beta: responses_websockets is required")
    for name in _UNWANTED:
        if name in request.headers:
            return detail(f"{name} has no meaning on a WebSocket")
    return None


class _Conversation:
    """One connection: its frames, one at a time, and its last response."""

    def __init__(
        self,
        world: World,
        backend: Backend,
        request: web.Request,
        ws: web.WebSocketResponse,
        account: SimulatedAccount,
    ) -> None:
        self._world = world
        self._backend = backend
        self._request = request
        self._ws = ws
        self._account = account
        self._opened_at = world.clock()
        self._last = ""
        self._items: list[Any] = []
        self._settings: dict[str, Any] = {}
        self._connection = world.count_socket()

    async def run(self) -> None:
        """Answer frames until either side ends the connection."""
        answering: asyncio.Task[None] | None = None
        try:
            while not self._ws.closed:
                message = await self._ws.receive()
                if message.type is not WSMsgType.TEXT:
                    if message.type is WSMsgType.BINARY:
                        await self._ws.close(code=1003)
                    break
                if answering is not None and not answering.done():
                    await self._refuse(None, invalid("A response is under way."))
                    continue
                answering = asyncio.ensure_future(self._answer(message.data))
                # An answer that ends the connection must not wait for another frame.
                answering.add_done_callback(lambda done: done.cancelled() or done.exception())
        finally:
            if answering is not None:
                answering.cancel()
                with contextlib.suppress(BaseException):
                    await answering

    async def _answer(self, text: str) -> None:
        world = self._world
        received = ReceivedRequest(
            method=METHOD,
            path=self._request.path,
            headers={name.lower(): value for name, value in self._request.headers.items()},
            at=world.clock(),
            connection=self._connection,
            account=self._account.name,
        )
        world.note(received)
        try:
            await self._answered(text, received)
        except Left as left:
            received.end(left.ending, world.clock())
        except (ConnectionError, asyncio.CancelledError):
            received.end("client_left", world.clock())
            raise

    async def _answered(self, text: str, received: ReceivedRequest) -> None:
        try:
            frame = msgspec.json.decode(text)
        except msgspec.DecodeError:
            frame = None
        if not isinstance(frame, dict) or frame.get("type") != "response.create":
            await self._refuse(received, invalid("Expected response.create.", param="type"))
            return
        received.body = frame if self._world.keep_bodies else None
        if self._world.clock() - self._opened_at > self._world.socket_seconds:
            await self._refuse(received, refuse(_LIMIT_REACHED, Circumstance()))
            await self._ws.close()
            return
        previous = frame.get("previous_response_id")
        if previous is not None and previous != self._last:
            if previous in self._world.socket_responses:
                await self._stay_silent()
            await self._refuse(received, refuse(_NOT_FOUND, Circumstance()))
            return
        settings = {k: v for k, v in frame.items() if k not in _OF_TURNS}
        if previous is not None and settings != self._settings:
            await self._refuse(received, invalid("The request has changed.", param="input"))
            return
        self._settings = settings
        await self._create(frame, received, continues=previous is not None)

    async def _create(
        self, frame: dict[str, Any], received: ReceivedRequest, *, continues: bool
    ) -> None:
        listed: Any = frame.get("input")
        items: list[Any] = listed if isinstance(listed, list) else []
        whole = [*self._items, *items] if continues else list(items)
        received.context = whole if self._world.keep_bodies else None
        if frame.get("generate") is False:
            await self._prepare(whole, received)
            return
        body, headers = _as_post(frame, whole, received.headers)
        fault = self._backend.fault_of(self._account, body)
        await self._before(fault)
        self._last = ""  # a failed turn loses what it referred to
        checked = self._checked(body, headers, fault)
        if isinstance(checked, Refusal):
            await self._refuse(received, checked)
            return
        answer = answer_to(checked, reasons=fault.reasons)
        self._account.answers += 1
        if self._world.pace and not fault.pace:
            fault = msgspec.structs.replace(fault, pace=self._world.pace)
        now = self._world.clock()
        envelope = self._backend.envelope(checked, self._account, answer, fault, now)
        lines = compose(answer, envelope, fault)
        received.code, received.status = fault.failure, 200
        await deliver_frames(
            lines, self._ws, self._request, fault=fault, received=received, world=self._world
        )
        received.end("failed" if fault.failure else "whole", self._world.clock())
        if (end := end_of(lines)) is not None and not fault.failure:
            self._remember(envelope.response_id, [*whole, *end])

    def _checked(
        self, body: dict[str, Any], headers: dict[str, str], fault: Fault
    ) -> CheckedRequest | Refusal:
        refusal = self._backend.refusal_for(fault, self._account, body)
        if refusal is not None:
            return refusal
        try:
            return check_request(body, headers, self._account, self._world.leniency)
        except Refused as refused:
            return refused.refusal

    async def _before(self, fault: Fault) -> None:
        """What happens instead of an answer, before anything was made of the frame."""
        await self._world.wait(fault.delay)
        if fault.drop:
            reset(self._request)
            raise Left("dropped")
        if fault.close and fault.close_at == "frame":
            await self._ws.close(code=fault.close)
            raise Left("cut")
        if fault.never:
            await self._stay_silent()

    async def _stay_silent(self) -> None:
        """Say that the connection lives, and nothing else, for ever."""
        while True:
            await self._ws.send_str('{"type":"keepalive"}')
            await asyncio.sleep(0.1)

    async def _prepare(self, items: list[Any], received: ReceivedRequest) -> None:
        response_id = f"resp_prepared{len(self._world.socket_responses):032x}"
        response: dict[str, Any] = {"id": response_id, "object": "response", "output": []}
        for kind, status in (("created", "in_progress"), ("completed", "completed")):
            event = {"type": f"response.{kind}", "response": {**response, "status": status}}
            await self._ws.send_str(msgspec.json.encode(event).decode())
        self._remember(response_id, items)
        received.status = 200
        received.end("whole", self._world.clock())

    def _remember(self, response_id: str, items: list[Any]) -> None:
        self._last, self._items = response_id, items
        self._world.socket_responses.add(response_id)

    async def _refuse(self, received: ReceivedRequest | None, refusal: Refusal) -> None:
        """Send a refusal as a frame."""
        if received is not None:
            received.status, received.code = refusal.status, refusal.code
            received.end("refused", self._world.clock())
        body = refusal.body if isinstance(refusal.body, dict) else {}
        error = body.get("error") or {"message": str(body.get("detail", refusal.body))}
        frame = {
            "type": "error",
            "status": refusal.status,
            "error": error,
            "headers": dict(refusal.headers),
        }
        await self._ws.send_str(msgspec.json.encode(frame).decode())


def _as_post(
    frame: dict[str, Any], items: list[Any], headers: dict[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The body and the headers of the POST that asks for the same."""
    body = {k: v for k, v in frame.items() if k not in _OF_SOCKETS} | {"input": items}
    metadata = frame.get("client_metadata") or {}
    if metadata:
        kept = {k: v for k, v in metadata.items() if not k.startswith(("ws_", "x-codex-ws-"))}
        body["client_metadata"] = kept
    if metadata.get(LITE_KEY) == "true":
        headers = {**headers, LITE_HEADER: "true"}
    return body, headers
