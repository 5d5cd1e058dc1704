"""Server-sent event responses with heartbeat comments and a maximum duration.

A stream checks every few seconds whether its reader is still signed in.
"""

import collections
import contextlib
import enum
import time
from collections.abc import AsyncIterator, Iterator

from litestar.response import Stream

from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.console.auth.administrator import Administrator
from codex_proapi.console.auth.identity import IdentityKind, RequestIdentity
from codex_proapi.console.auth.script_tokens import ScriptTokens
from codex_proapi.console.auth.sessions import Sessions
from codex_proapi.console.errors import Code, TooMany
from codex_proapi.console.metrics import Metrics

PATIENCE = 10.0
"""Seconds between heartbeats."""
CHECK_SECONDS = 3.0
"""Seconds between two checks of a reader."""
MOST_STREAMS = 12
"""Most open streams of one visitor on one replica."""
RETRY_MILLISECONDS = 2_000
"""How long a browser waits before it reconnects (`retry:`)."""

HEARTBEAT = b": \n\n"
SIGNED_OUT = b"event: signed_out\ndata: {}\n\n"


class Gate:
    """Limits the open streams of each visitor and checks that the visitor is still signed in."""

    def __init__(
        self,
        *,
        administrator: Administrator,
        sessions: Sessions,
        tokens: ScriptTokens,
        metrics: Metrics,
    ) -> None:
        self._administrator = administrator
        self._sessions = sessions
        self._tokens = tokens
        self._metrics = metrics
        self._open: collections.Counter[str] = collections.Counter()

    def __repr__(self) -> str:
        return f"<Gate with {self._open.total()} streams>"

    async def admits(self, identity: RequestIdentity) -> bool:
        """Whether a visitor who was admitted still is."""
        match identity.kind:
            case IdentityKind.SESSION:
                return identity.session is not None and await self._sessions.lives(
                    identity.session.id
                )
            case IdentityKind.TOKEN:
                return await self._tokens.lives(identity.owner.partition(":")[2])
            case IdentityKind.LOCAL:
                return not await self._administrator.has_password()
            case IdentityKind.OWNER | IdentityKind.STRANGER:
                return False

    def ticket(self, identity: RequestIdentity) -> "Ticket":
        """The check that one stream repeats before it sends."""
        return Ticket(self, identity)

    def check(self, identity: RequestIdentity) -> None:
        """Raise TooMany if the visitor has too many streams, before the response begins."""
        if self._open[identity.owner] >= MOST_STREAMS:
            raise TooMany(Code.TOO_MANY_STREAMS, retry_after=5)

    @contextlib.contextmanager
    def open(self, identity: RequestIdentity, kind: str) -> Iterator[None]:
        """Count one stream while the block runs."""
        self._open[identity.owner] += 1
        self._metrics.streams.labels(kind).inc()
        try:
            yield
        finally:
            self._metrics.streams.labels(kind).dec()
            self._open[identity.owner] -= 1
            if not self._open[identity.owner]:
                del self._open[identity.owner]


class Admission(enum.Enum):
    """Result of checking a reader."""

    HOLDS = "holds"
    ENDED = "ended"
    """Signed out, or the token was revoked: the stream ends with an event."""
    UNKNOWN = "unknown"
    """Redis is away: the stream ends without an event, and the browser reconnects."""


class Ticket:
    """One reader's permission to go on reading, checked again every few seconds."""

    def __init__(self, gate: Gate, identity: RequestIdentity) -> None:
        self._gate = gate
        self._identity = identity
        self._good_until = time.monotonic() + CHECK_SECONDS

    def __repr__(self) -> str:
        return f"<Ticket of {self._identity.actor}>"

    async def admission(self) -> Admission:
        """Whether the reader is still signed in; unknown while Redis is away."""
        if time.monotonic() < self._good_until:
            return Admission.HOLDS
        try:
            admitted = await self._gate.admits(self._identity)
        except StoreUnavailable:
            return Admission.UNKNOWN
        self._good_until = time.monotonic() + CHECK_SECONDS
        return Admission.HOLDS if admitted else Admission.ENDED


def event(data: bytes, *, name: str = "", event_id: str = "") -> bytes:
    """One server-sent event; `data` is JSON and so has no line break."""
    head = f"id: {event_id}\n" if event_id else ""
    head += f"event: {name}\n" if name else ""
    return head.encode() + b"data: " + data + b"\n\n"


def event_stream(content: AsyncIterator[bytes]) -> Stream:
    """The answer."""
    return Stream(
        content,
        media_type="text/event-stream; charset=utf-8",
        headers={"cache-control": "no-store, no-transform", "x-accel-buffering": "no"},
    )
