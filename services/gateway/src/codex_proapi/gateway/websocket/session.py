"""A client's conversation over one connection: one turn at a time, each an exchange of its own."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from websockets.frames import CloseCode

from codex_proapi.commons.http.request_id import make_request_id
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.auth.authenticator import Authenticated
from codex_proapi.gateway.auth.client_head import ClientHead
from codex_proapi.gateway.errors import BadKey, BadRequest, GatewayError
from codex_proapi.gateway.exchange.serve import LARGE_BODY, ExchangeService, Request
from codex_proapi.gateway.server.body_budget import BodyHold
from codex_proapi.gateway.server.body_threads import in_thread, work_on
from codex_proapi.gateway.server.error_response import (
    error_headers,
    internal_fault,
    log_refusal,
)
from codex_proapi.gateway.server.request_context import bind_request
from codex_proapi.gateway.websocket.create_frame import CreateFrame, is_ignored, read_frame
from codex_proapi.gateway.websocket.event_frames import error_frame, prepared_frames
from codex_proapi.gateway.websocket.remembered import Conversation, Packed, RememberedConversations
from codex_proapi.gateway.websocket.sink import WebSocketSink

if TYPE_CHECKING:
    from codex_proapi.gateway.websocket.connection import WebSocketConnection

IDLE_SECONDS: Final = 60 * 60
"""Seconds without a turn after which a connection is closed: as long as one to the backend lives."""
RESTARTING: Final = "this server is restarting"

log = structlog.get_logger(__name__)


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What the sessions of a process share."""

    service: ExchangeService
    tasks: Tasks
    conversations: RememberedConversations
    clock: Callable[[], float]
    keys_version: Callable[[], int]
    """The version of the keys as last seen: a session whose key may have changed asks again."""
    ended: Callable[["Session"], None]
    """Called when a connection has ended."""


class TurnRequest(Request, kw_only=True, eq=False):
    """The request of one turn, whose body has come whole."""

    more_headers: Mapping[str, str]
    """Those of the frame, beside the connection's."""
    body: bytes

    async def read_body(self, hold: BodyHold) -> bytes:
        """The body, once: what waits for the answer must not hold it."""
        del hold  # has the frame's bytes already
        body, self.body = self.body, b""
        return body

    def take_head(self) -> ClientHead:
        """What its connection's head and its frame say, once."""
        more, self.more_headers = self.more_headers, {}
        return super().take_head().with_headers(more)


class Session:
    """One connection's turns; the `Owner` of its connection.

    Args:
        shared: what all sessions share.
        head: what the handshake's head says.
        authenticated: the client's key as the handshake found it.
        client: the client's address, for the log.
    """

    def __init__(
        self,
        shared: Shared,
        *,
        head: ClientHead,
        authenticated: Authenticated,
        client: str,
    ) -> None:
        self.connection: WebSocketConnection
        """The connection; set before the first message."""
        self._shared = shared
        self._head = head
        self._authenticated = authenticated
        self._client = client
        self._conversation: Conversation = shared.conversations.begin()
        self._turn: asyncio.Task[None] | None = None
        self._sink: WebSocketSink | None = None
        self._next: tuple[bytes, BodyHold] | None = None
        self._lost = False
        self._on_lost: Callable[[], None] | None = None
        self._checking = False
        self._leaving = False

    def __repr__(self) -> str:
        return f"<Session {'busy' if self.busy else 'idle'}>"

    @property
    def busy(self) -> bool:
        """Whether a turn is under way."""
        return self._turn is not None

    # What the connection calls.

    def message(self, data: bytes, hold: BodyHold, *, text: bool) -> None:
        """Begin a turn; one that comes while another is under way is refused, and that goes on."""
        if not text:
            hold.release()
            self.connection.close(CloseCode.UNSUPPORTED_DATA, "messages are JSON in text frames")
        elif is_ignored(data):
            hold.release()
        elif self._turn is None:
            self._begin(data, hold)
        elif self._sink is not None and self._sink.frames.ended and self._next is None:
            self._next = data, hold  # the client has its answer, which is only not settled yet
        else:
            hold.release()
            self._refuse_meanwhile()

    def gone(self) -> None:
        """End the turn under way, and forget the conversation."""
        self._lost = True
        if self._on_lost is not None:
            self._on_lost()
        if self._next is not None:
            self._next[1].release()
            self._next = None
        self._conversation.forget()
        self._shared.ended(self)

    def leave(self) -> None:
        """Close between two turns: clients come again by themselves, and somebody else answers."""
        self._leaving = True
        if self._turn is None:
            self.connection.close(CloseCode.GOING_AWAY, RESTARTING)

    def second(self) -> None:
        """Count a second: look at the key again when keys have changed, close what is long idle."""
        if self.connection.waited > IDLE_SECONDS:
            self.connection.close(CloseCode.GOING_AWAY, "idle for too long")
        elif self._authenticated.version != self._shared.keys_version() and not self._checking:
            self._checking = True
            self._shared.tasks.start(self._check_key(), name="check socket's key")

    async def _check_key(self) -> None:
        """Close an idle connection whose key is not valid any more; a turn is ended as any stream."""
        try:
            self._authenticated = await self._shared.service.authenticate(self._head.caller)
        except BadKey as error:
            if self._turn is None:
                self._revoked(error)
        except GatewayError:
            pass  # the next turn is refused if it comes to that
        finally:
            self._checking = False

    def _revoked(self, error: BadKey) -> None:
        self.connection.send([error_frame(error, error_headers(error))])
        self.connection.close(CloseCode.POLICY_VIOLATION, "the API key is not valid")

    def _begin(self, data: bytes, hold: BodyHold) -> None:
        self._turn = self._shared.tasks.start(self._run(data, hold), name="socket turn")
        self._turn.add_done_callback(self._done)

    def _done(self, turn: "asyncio.Task[None]") -> None:
        """Go on after a turn: with the frame that has come meanwhile, or with the end."""
        del turn
        self._turn = self._sink = self._on_lost = None
        following, self._next = self._next, None
        if following is not None and self.connection.open:
            self._begin(*following)
        elif following is not None:
            following[1].release()
        elif self._leaving:
            self.connection.close(CloseCode.GOING_AWAY, RESTARTING)

    def _refuse_meanwhile(self) -> None:
        error = BadRequest(
            "A response is under way on this connection. Open another one for parallel requests.",
            code="response_in_progress",
        )
        self.connection.send([error_frame(error, [])])

    # A turn.

    async def _run(self, data: bytes, hold: BodyHold) -> None:
        """Answer one frame; every fault becomes an error's frame."""
        request_id = make_request_id()
        bind_request(request_id, self._client)
        self._sink = sink = WebSocketSink(self.connection)
        try:
            await self._answered(data, hold, request_id, sink)
        except BadKey as error:
            sink.frames.ended = True
            self._revoked(error)
        except GatewayError as error:
            log_refusal(error)
            await sink.fail(error)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the client is owed an answer whatever happened
            await sink.fail(internal_fault(error))
        finally:
            hold.release()

    async def _answered(
        self, data: bytes, hold: BodyHold, request_id: str, sink: WebSocketSink
    ) -> None:
        frame = await work_on(data, partial(read_frame, data), turn=hold.turn)
        if frame is None:
            sink.frames.ended = True
            return
        del data
        authenticated = await self._shared.service.authenticate(self._head.caller)
        self._authenticated = authenticated
        continues = bool(frame.previous) and frame.previous == self._conversation.response_id
        packed = await self._packed(frame, hold)
        if not frame.generate:
            self._prepare(frame, request_id, packed, sink, continues=continues)
            return
        body = await self._body(frame, hold, continues=continues)
        elsewhere = bool(frame.previous) and not continues
        request = TurnRequest(
            id=request_id,
            head=self._head,
            more_headers=frame.headers,
            authenticated=authenticated,
            hold=hold,
            body=body,
            watch=self._watch,
        )
        del frame, body
        await self._shared.service.serve(request, sink)
        frames = sink.frames
        if not frames.response_id or not self.connection.open:
            return
        if elsewhere:  # what came before it is in the store, not here
            self._conversation.forget()
            return
        output = Packed(frames.output)
        self._conversation.extend(frames.response_id, packed, output, anew=not continues)

    def _watch(self, gone: Callable[[], None]) -> None:
        """Call `gone` once the connection has ended."""
        self._on_lost = gone
        if self._lost:
            gone()

    async def _packed(self, frame: CreateFrame, hold: BodyHold) -> Packed:
        """The frame's items as they are remembered."""
        pack = partial(Packed, frame.items)
        if sum(map(len, frame.items)) <= LARGE_BODY:
            return pack()
        async with hold.turn():
            return await in_thread(pack)

    async def _body(self, frame: CreateFrame, hold: BodyHold, *, continues: bool) -> bytes:
        """The body of the POST that asks for the same, with the whole conversation in it."""
        if not continues:
            return frame.body(previous=frame.previous)
        size = self._conversation.plain_size
        hold.take(size)
        if size <= LARGE_BODY:
            return frame.body(self._conversation.items())
        async with hold.turn():
            return frame.body(await in_thread(self._conversation.items))

    def _prepare(
        self,
        frame: CreateFrame,
        request_id: str,
        packed: Packed,
        sink: WebSocketSink,
        *,
        continues: bool,
    ) -> None:
        """Answer a frame that wants no answer yet; nothing is asked of the backend."""
        if frame.previous and not continues:
            raise BadRequest(
                f"Previous response with id '{frame.previous[:64]}' not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        response_id = f"resp_{request_id.removeprefix('req_')}"
        self._conversation.extend(response_id, packed, anew=not continues)
        model = msgspec.json.decode(frame.fields.get("model", b'""'))
        created = int(self._shared.clock())
        sink.frames.ended = True
        self.connection.send(prepared_frames(response_id, created=created, model=str(model)))
