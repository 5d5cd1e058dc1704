"""The transport protocol: sends one request to the backend, returns a response stream or a refusal.

What follows a refusal is decided by `policy.retry`, and done by `exchange.dispatch`.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from codex_proapi.gateway.errors import GatewayError, Truncated
from codex_proapi.gateway.formats.codex.login_headers import NO_HEADERS, EncodedHeaders
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.upstream.request_body import RequestBody

SILENCE_SECONDS: Final = 300.0
"""How long upstream may be silent before the commit point, over all attempts of one exchange; the
CLI itself waits so long between two events."""


class RequestOwner(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf a request is sent."""

    account: str = ""
    """Our id of the account that is asked."""
    key_id: str = ""
    """Id of the client's key."""
    conversation: str = ""
    """Name of the conversation, different for each key; empty if it cannot be told."""


class PreparedRequest(msgspec.Struct, frozen=True):
    """A request as it is sent. Its headers are not part of the repr: they contain a token."""

    headers: Mapping[str, str]
    """Its own, beside those of its account."""
    body: bytes | RequestBody
    """In one piece; or a long one in several, which can be sent once."""
    new_connection: bool = False
    """Whether a connection that was used before must not carry it."""
    route: str = ""
    """The backend's route that is asked instead of Responses; its answer is one JSON body."""
    owner: RequestOwner = RequestOwner()
    """On whose behalf it is sent."""
    on_head: Callable[[Mapping[str, str]], None] | None = None
    """Called with the headers of a response with status 200, possibly long before its first event."""
    on_sent: Callable[[], object] | None = None
    """Called once it was sent: for work that would else be done when the answer has come."""
    model: str = ""
    """The model it asks for."""
    on_other_model: Callable[[str], Refusal | None] | None = None
    """Called before the commit point if the answer names another model, with that model; a refusal
    that it gives takes the place of the answer, which is closed."""
    login: EncodedHeaders = NO_HEADERS
    """The headers of its account."""

    @property
    def all_headers(self) -> Mapping[str, str]:
        """The headers of its account and its own."""
        return {**self.login.fields, **self.headers}

    @property
    def whole_body(self) -> bytes:
        """The body in one piece."""
        return self.body if isinstance(self.body, bytes) else self.body.joined()

    def __repr__(self) -> str:
        return f"<PreparedRequest of {len(self.body)} bytes>"


class ResponseStream(Protocol):
    """An upstream stream that has reached the commit point; its owner must close it."""

    held: bytes
    """The bytes up to the commit point."""
    headers: Mapping[str, str]
    """Upstream's answer headers, by lower-case name."""
    way: str
    """Why this transport has carried it, and how, in words for the log; empty where there is no choice."""

    async def read(self) -> bytes:
        """All bytes received since the last call; b"" at the end. Raises Truncated if it breaks off."""

    def close(self) -> None:
        """Return the connection to its pool if the stream has ended, else close it; idempotent."""

    def release(self) -> None:
        """Let the stream of a complete answer end by itself for a moment; `close` has no effect then."""


class Receiver(Protocol):
    """Takes a stream as it comes, in the place of a reader that waits for it."""

    def received(self, data: bytes) -> bool:
        """Take bytes, within the call that read them from the socket; must not raise.

        False pauses the stream until `PushingStream.resume`.
        """

    def ended(self, error: Exception | None) -> None:
        """Everything has come; or the connection broke, and this is why."""


class CopyingReceiver:
    """A receiver that can also take reads of a chunked body as they come, framing and all."""

    __slots__ = ()

    def copying(
        self, parse: Callable[[bytes], None], *, more: bool
    ) -> Callable[[bytes], None] | None:
        """What takes the reads that follow so, in the place of `received`; None if nothing does.

        The first of them begins where a chunk does; `more` is whether it is of a read that has begun.
        When copying has ended, `parse` is called, within the same call, with what is left: bytes that
        begin where a chunk does.
        """
        raise NotImplementedError


class PushingStream:
    """A response stream that can also be pushed; `read` is not called after `push_to`."""

    __slots__ = ()

    def push_to(self, receiver: Receiver) -> None:
        """Give everything from now on to the receiver, at once what has come already."""
        raise NotImplementedError

    def pause(self) -> None:
        """Let nothing come until `resume`: for a receiver that copies."""
        raise NotImplementedError

    def resume(self) -> None:
        """Go on after the receiver has paused the stream."""
        raise NotImplementedError


def broke_off(cause: Exception) -> GatewayError:
    """The error of a stream whose connection broke, or which cannot be read."""
    if isinstance(cause, GatewayError):
        return cause
    broken = Truncated("The backend broke off in the middle of its answer.")
    broken.code = getattr(cause, "code", "") or broken.code
    return broken


class SilenceBudget(msgspec.Struct):
    """How long upstream may still be silent, over all attempts of one exchange.

    It begins with the first attempt, and again with every event of a stream; a refusal, or another
    attempt, does not make it begin anew.
    """

    clock: Callable[[], float]
    seconds: float
    deadline: float
    """When it ends, seconds by the clock."""

    @classmethod
    def begin(
        cls, clock: Callable[[], float], *, seconds: float = SILENCE_SECONDS
    ) -> "SilenceBudget":
        """One that begins now."""
        return cls(clock, seconds, clock() + seconds)

    def __repr__(self) -> str:
        return f"<SilenceBudget until {self.deadline}>"

    @property
    def exhausted(self) -> bool:
        """Whether nothing of it is left."""
        return self.clock() >= self.deadline

    def restart(self) -> None:
        """An event has come."""
        self.deadline = self.clock() + self.seconds


class Transport(Protocol):
    """One way to the backend."""

    async def open(
        self, request: PreparedRequest, silence: SilenceBudget
    ) -> ResponseStream | Refusal:
        """Ask once. Faults of the transport come back as refusals of status 0."""
