"""Lua scripts: each one atomic step on the server."""

import contextlib
import hashlib
import importlib.resources
import re
from collections.abc import Awaitable, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionBroken
from redis.exceptions import NoScriptError, RedisError, ResponseError

from codex_proapi.commons.redis.clients import REDIS_ERRORS, mapped, text, unavailable
from codex_proapi.commons.redis.multiplexed import (
    Execute,
    KeptReply,
    MultiplexedConnection,
    executor,
    kept_executor,
)
from codex_proapi.commons.runtime.errors import StoreUnavailable

SAFE_ROUNDS: Final = 3
SAFE_MILLISECONDS: Final = 600
"""How often, and how long each time, a write is waited for to be safe: a file is synced every second."""
_INCLUDE: Final = re.compile(r"^-- include (?:([\w.]+)/)?(\w+)\.lua$", re.MULTILINE)


class Scripts:
    """The Lua scripts beside the modules of a package, each one atomic step on the server.

    A line `-- include other.lua` stands for the content of that file, such as shared functions;
    `-- include package/other.lua` for that of a file beside another package's modules.

    Args:
        redis: The client that runs them.
        package: Dotted name of the package whose folder holds the `.lua` files.
        connection: A multiplexed connection to run them on instead.
    """

    def __init__(
        self, redis: Redis, package: str, *, connection: MultiplexedConnection | None = None
    ) -> None:
        self._redis = redis
        self._package = package
        self._execute = executor(redis, connection)
        self._keep = kept_executor(redis, connection)
        self._known: dict[str, tuple[str, str]] = {}

    def __repr__(self) -> str:
        return f"<Scripts {sorted(self._known)}>"

    async def run(
        self, name: str, keys: Sequence[str], args: Sequence[Any] = (), *, durably: bool = False
    ) -> Any:
        """Run a script once; errors become StoreUnavailable, and it may have taken effect.

        With `durably` it then waits, but not longer than two seconds, until its writes are on disk,
        if the server appends to a file, and in one of its replicas, if it has any; that they are
        not known to be is no error. On a cluster it does not wait: its client has no connection
        that both commands would take.
        """
        digest, source = self._known.get(name) or self._load(name)
        with mapped():
            if not durably or not isinstance(self._redis, Redis):
                return await _evaluated(self._execute, digest, source, (len(keys), *keys, *args))
            # Not as a context manager: that keeps its connection if it is cancelled as it ends.
            client = self._redis.client()
            run: Execute = client.execute_command
            try:
                reply = await _evaluated(run, digest, source, (len(keys), *keys, *args))
                with contextlib.suppress(RedisError, OSError):
                    await _until_safe(run)
                return reply
            finally:
                await client.aclose()

    async def repeat(
        self, name: str, keys: Sequence[str], args: Sequence[Any] = (), *, durably: bool = False
    ) -> Any:
        """Run an idempotent script, once more if its connection was lost.

        An error reply is not retried: the script may have run in part, and would do the same again.
        """
        known = self._known.get(name)
        if known is None or durably:
            return await self._repeated(name, keys, args, durably=durably)
        # The same in one step: each request runs several scripts, all of them known to the server.
        try:
            return await self._execute("EVALSHA", known[0], len(keys), *keys, *args)
        except REDIS_ERRORS as error:
            return await self.recover(error, name, keys, args)

    def start(self, name: str, keys: Sequence[str], args: Sequence[Any] = ()) -> Awaitable[Any]:
        """Run a script as `repeat` does, without a coroutine of its own.

        The reply raises Redis' own errors, one of REDIS_ERRORS, with which `recover` goes on.
        """
        digest, _ = self._known.get(name) or self._load(name)
        return self._execute("EVALSHA", digest, len(keys), *keys, *args)

    def start_kept(self, name: str, keys: Sequence[str], args: Sequence[Any] = ()) -> KeptReply:
        """The same for a script whose reply must be known."""
        digest, _ = self._known.get(name) or self._load(name)
        return self._keep("EVALSHA", digest, len(keys), *keys, *args)

    async def recover(
        self, error: Exception, name: str, keys: Sequence[str], args: Sequence[Any] = ()
    ) -> Any:
        """Go on after the first try of an idempotent script has raised one of REDIS_ERRORS."""
        if isinstance(error, NoScriptError):
            return await self._repeated(name, keys, args)
        if isinstance(error, (ConnectionBroken, ConnectionError)):
            return await self.run(name, keys, args)
        raise unavailable(error) from error

    async def _repeated(
        self, name: str, keys: Sequence[str], args: Sequence[Any], *, durably: bool = False
    ) -> Any:
        try:
            return await self.run(name, keys, args, durably=durably)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, ConnectionBroken | ConnectionError):
                raise
            return await self.run(name, keys, args, durably=durably)

    def _load(self, name: str) -> tuple[str, str]:
        source = _INCLUDE.sub(self._included, self._source(name))
        digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._known[name] = digest, source
        return digest, source

    def _included(self, match: re.Match[str]) -> str:
        return self._source(match[2], package=match[1])

    def _source(self, name: str, *, package: str | None = None) -> str:
        folder = importlib.resources.files(package or self._package)
        return folder.joinpath(f"{name}.lua").read_text(encoding="utf-8")


async def _evaluated(run: Execute, digest: str, source: str, rest: Sequence[Any]) -> Any:
    try:
        return await run("EVALSHA", digest, *rest)
    except NoScriptError:
        return await run("EVAL", source, *rest)


async def _until_safe(run: Execute) -> None:
    """Wait for the disk and one replica; either is waited for only if the server has it."""
    role = await run("ROLE")
    replicas = 1 if text(role[0]) == "master" and role[2] else 0
    for _ in range(SAFE_ROUNDS):
        try:
            on_disk, copies = await run("WAITAOF", 1, replicas, SAFE_MILLISECONDS)
        except ResponseError:  # it appends to no file, or is older than Redis 7.2
            if replicas:
                await run("WAIT", 1, SAFE_MILLISECONDS)
            return
        if on_disk and copies >= replicas:
            return
