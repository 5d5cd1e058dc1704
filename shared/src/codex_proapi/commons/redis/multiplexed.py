"""One connection to Redis shared by all requests of a process, for what each of them asks and writes.

redis-py takes a connection from its pool for each command, which costs as much as the rest of a
small request; here commands are pipelined and replies come back in the same order (measured: a
tenth of the CPU time). Only for short commands that cannot block: a large one delays all behind it.
When the connection breaks, every waiting command fails, and the next one connects again.
"""

import asyncio
import collections
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.exceptions import AuthenticationError, NoScriptError, ResponseError
from redis.exceptions import ConnectionError as ConnectionBroken
from redis.exceptions import TimeoutError as TimedOut

from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker

_ERRORS = {
    "NOSCRIPT": NoScriptError,
    "NOAUTH": AuthenticationError,
    "WRONGPASS": AuthenticationError,
}
_pack: Callable[[tuple["Word", ...]], bytes] = cast("Any", hiredis.pack_command)
_ELSEWHERE = ("READONLY", "LOADING", "MASTERDOWN")
"""Errors of a server that is not (or not yet) the primary: another connection may find it."""

OVERDUE_SECONDS = 0.05
"""How long a reply that is overdue may still come, in case it lies unread in the socket."""

Word: TypeAlias = str | int | float | bytes
"""A part of a command."""

Execute: TypeAlias = Callable[..., Awaitable[Any]]
"""Runs one command, given its words; gives its reply."""


def executor(redis: Redis, connection: "MultiplexedConnection | None") -> Execute:
    """What runs single commands: the shared connection, or the client where there is none."""
    return connection.call if connection is not None else redis.execute_command


class KeptReply(asyncio.Future[Any]):
    """A reply that must be known: whoever is cancelled while waiting for it is so once it has come.

    A second cancellation ends the wait; the reply is then discarded.
    """

    _asked = False

    def cancel(self, msg: Any | None = None) -> bool:
        """Note the first cancellation, which asyncio repeats when the reply has come."""
        if self._asked or self.done():
            return super().cancel(msg)
        self._asked = True
        return False

    @property
    def came(self) -> bool:
        """Whether there is a reply, and no error."""
        return self.done() and not self.cancelled() and self.exception() is None

    def take(self, work: "asyncio.Future[Any]") -> None:
        """Take over the result of some work that has ended."""
        error = None if work.cancelled() else work.exception()
        if self.done():
            return
        if work.cancelled():
            super().cancel()
        elif error is not None:
            self.set_exception(error)
        else:
            self.set_result(work.result())


def kept_executor(
    redis: Redis, connection: "MultiplexedConnection | None"
) -> Callable[..., KeptReply]:
    """What runs single commands whose replies must be known."""
    if connection is not None:
        return connection.call_kept
    run: Execute = redis.execute_command
    return lambda *command: _kept(run(*command))


def _kept(work: Awaitable[Any]) -> KeptReply:
    reply = KeptReply()
    asyncio.ensure_future(work).add_done_callback(reply.take)
    return reply


def connect_multiplexed(
    url: str, *, timeout: float = 1.0, breaker: RedisCircuitBreaker | None = None
) -> "MultiplexedConnection | None":
    """A connection to the server of this URL; None for Sentinel, Cluster, and TLS with own options.

    Those need redis-py. `?socket_timeout=` of the URL overrules the time-out, as in redis-py.
    With a circuit breaker commands fail at once while it is shut.
    """
    scheme = urlsplit(url).scheme
    if scheme not in ("redis", "rediss", "unix"):
        return None
    options: dict[str, Any] = dict(parse_url(url))
    if any(name.startswith("ssl") for name in options):
        return None
    patience = float(options.get("socket_timeout", timeout))
    return MultiplexedConnection(
        options, secure=scheme == "rediss", timeout=patience, breaker=breaker
    )


class MultiplexedConnection:
    """One shared connection, opened at first use and again after it broke."""

    def __init__(
        self,
        options: dict[str, Any],
        *,
        secure: bool,
        timeout: float,
        breaker: RedisCircuitBreaker | None = None,
    ) -> None:
        self._options = options
        self._breaker = breaker or RedisCircuitBreaker()
        self._secure = secure
        self._timeout = timeout
        self._end: _End | None = None
        self._drawing: asyncio.Task[_End] | None = None

    def __repr__(self) -> str:
        return f"<MultiplexedConnection {'up' if self._is_up() else 'down'}>"

    def call(self, *command: Word) -> Awaitable[Any]:
        """Run a command; raises as redis-py does. A cancelled caller's reply is discarded."""
        end = self._end
        if end is None or end.broken or self._breaker.shut:
            return self._connected(command)
        return end.send(command)

    def call_kept(self, *command: Word) -> KeptReply:
        """Run a command whose reply must be known; raises as `call` does."""
        end = self._end
        if end is None or end.broken or self._breaker.shut:
            return _kept(self._connected(command))
        reply = KeptReply()
        end.send(command, reply)
        return reply

    async def _connected(self, command: tuple[Word, ...]) -> Any:
        """Run a command where there is no connection yet, or none may be made."""
        if self._breaker.shut:
            raise ConnectionBroken("away")
        end = self._end
        if end is None or end.broken:
            end = await self._draw()
        return await end.send(command)

    def drop(self) -> None:
        """Close the connection; the next command opens another. Those that wait fail."""
        if self._end is not None:
            self._end.hang_up(ConnectionBroken("dropped"))

    async def aclose(self) -> None:
        """Close the connection."""
        if self._drawing is not None:
            self._drawing.cancel()
            await asyncio.gather(self._drawing, return_exceptions=True)
        self.drop()

    def _is_up(self) -> bool:
        return self._end is not None and not self._end.broken

    async def _draw(self) -> "_End":
        """Connect, once for all waiting commands."""
        if self._drawing is None:
            self._drawing = asyncio.ensure_future(self._connect())
            self._drawing.add_done_callback(self._drawn)
        return await asyncio.shield(self._drawing)

    def _drawn(self, task: "asyncio.Task[_End]") -> None:
        self._drawing = None
        if not task.cancelled() and task.exception() is None:
            self._end = task.result()

    async def _connect(self) -> "_End":
        loop = asyncio.get_running_loop()
        options = self._options
        try:
            async with asyncio.timeout(self._timeout):
                if "path" in options:
                    _, end = await loop.create_unix_connection(self._new_end, options["path"])
                else:
                    _, end = await loop.create_connection(
                        self._new_end,
                        options.get("host", "localhost"),
                        options.get("port", 6379),
                        ssl=ssl.create_default_context() if self._secure else None,
                    )
        except TimeoutError:
            raise TimedOut("connecting") from None
        except OSError as error:
            raise ConnectionBroken(type(error).__name__) from error
        try:
            await self._introduce(end)
        except BaseException as error:
            end.hang_up(ConnectionBroken("introduction"))
            raise error from None
        return end

    async def _introduce(self, end: "_End") -> None:
        options = self._options
        if "password" in options:
            user = [options["username"]] if "username" in options else []
            await end.send(("AUTH", *user, options["password"]))
        if int(options.get("db", 0)):
            await end.send(("SELECT", int(options["db"])))

    def _new_end(self) -> "_End":
        return _End(self._timeout)


class _End(asyncio.Protocol):
    """Protocol of one connection: sends commands, matches replies to them in order."""

    def __init__(self, timeout: float) -> None:
        self.broken = False
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(encoding="utf-8", replyError=_error)
        self._waiting: collections.deque[tuple[asyncio.Future[Any], float]] = collections.deque()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._overdue = False

    def send(
        self, command: tuple[Word, ...], reply: asyncio.Future[Any] | None = None
    ) -> asyncio.Future[Any]:
        """Send a command: at once if no other is under way, else with those of the event loop's turn.

        Its reply is given by the future that is passed, or a new one.
        """
        if reply is None:
            reply = self._loop.create_future()
        if self.broken:
            reply.set_exception(ConnectionBroken("broken"))
            return reply
        packed = _pack(command)
        if not self._waiting and self._transport is not None:
            self._transport.write(packed)  # nothing to wait for: another turn is an empty poll
        else:
            if not self._out:
                self._loop.call_soon(self._flush)
            self._out.append(packed)
        self._waiting.append((reply, self._loop.time() + self._timeout))
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout, self._check_timeout)
        return reply

    def hang_up(self, error: Exception) -> None:
        """Close the connection and fail every waiting command."""
        self.broken = True
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            reply, _ = self._waiting.popleft()
            if not reply.done():
                reply.set_exception(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is open."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection has ended."""
        self.hang_up(ConnectionBroken(type(exc).__name__ if exc else "closed by Redis"))

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came; give each reply to the command that waits for it."""
        self._reader.feed(data)
        while self._waiting and (reply := self._reader.gets()) is not False:
            waiter, _ = self._waiting.popleft()
            if isinstance(reply, ResponseError | ConnectionBroken):
                if not waiter.done():
                    waiter.set_exception(reply)
                if isinstance(reply, ConnectionBroken):
                    self.hang_up(reply)
            elif not waiter.done():
                waiter.set_result(reply)

    def _flush(self) -> None:
        if self._transport is not None and not self.broken:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _check_timeout(self) -> None:
        """Close the connection if the oldest command has waited too long."""
        self._watch = None
        if not self._waiting:
            self._overdue = False
            return
        left = self._waiting[0][1] - self._loop.time()
        if left > 0:
            self._overdue = False
            self._watch = self._loop.call_later(left, self._check_timeout)
        elif not self._overdue:
            # The event loop may have been blocked: read what has arrived before giving up.
            self._overdue = True
            self._watch = self._loop.call_later(OVERDUE_SECONDS, self._check_timeout)
        else:
            self.hang_up(TimedOut("no reply in time"))


def _error(message: str) -> Exception:
    """An error reply as redis-py would raise it."""
    code = message.partition(" ")[0]
    if code in _ELSEWHERE:
        return ConnectionBroken(code)
    return _ERRORS.get(code, ResponseError)(message)
