"""Writes lines to stdout or stderr by a thread, so that a reader that stops stops nothing else.

A write to a pipe blocks while nobody reads it (a log driver that hangs, a stopped terminal), and
fails once its reader is gone. Here a bounded queue takes the lines: what does not fit, or cannot be
written, is dropped and counted, and the count is logged when lines go out again.
"""

import contextlib
import os
import select
import threading
import time
from collections import deque
from types import TracebackType
from typing import Final, Protocol, Self, TextIO

import structlog

MOST_CHARACTERS: Final = 4 * 1024 * 1024
"""Most characters that wait to be written; some thousand lines of the access log."""
PAUSE_SECONDS: Final = 0.01
"""Least seconds between two writes: lines of that time are written at once, by one wake-up."""
FLUSH_SECONDS: Final = 2.0
"""How long the end of a process waits for lines that are not written yet."""

log = structlog.get_logger(__name__)


class TextOutput(Protocol):
    """The part of a text stream that logging uses."""

    def write(self, text: str, /) -> int:
        """Write a text."""

    def flush(self) -> None:
        """Have it written."""

    def isatty(self) -> bool:
        """Whether a person reads it."""


class DroppedLines:
    """Counts the lines of all writers of the process that were not written; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0
        """Lines since the process began."""

    def __repr__(self) -> str:
        return f"<DroppedLines {self.count}>"

    def add(self, lines: int) -> None:
        """Count so many more."""
        with self._lock:
            self.count += lines


DROPPED: Final = DroppedLines()
"""Of this process; both services show it as a metric."""


class LineWriter:
    """A text stream whose `write` neither blocks nor raises.

    Args:
        stream: where lines go; it has a file descriptor, to which nobody else writes meanwhile.
        most: most characters that wait.
    """

    def __init__(self, stream: TextIO, *, most: int = MOST_CHARACTERS) -> None:
        stream.flush()
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding or "utf-8"
        self._readable = stream.isatty()
        self._most = most
        self._texts: deque[str] = deque()
        self._waiting = 0
        self._dropped = 0
        # A signal handler may log while its own thread is in `write`.
        self._lock = threading.RLock()
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="line writer", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return (
            f"<LineWriter with {self._waiting} characters waiting, {self._dropped} lines dropped>"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, text: str, /) -> int:
        """Have a text written, of one or more whole lines; drop it if too much waits already."""
        with self._lock:
            if self._waiting + len(text) > self._most or self._closing.is_set():
                self._drop(text.count("\n"))
                return len(text)
            self._texts.append(text)
            self._waiting += len(text)
        if not self._wanted.is_set():
            self._wanted.set()
        return len(text)

    def flush(self) -> None:
        """Nothing to do: lines are written within PAUSE_SECONDS anyway."""

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._readable

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Take no more lines, and wait at most so many seconds for those that wait."""
        self._closing.set()
        self._wanted.set()
        self._thread.join(seconds)

    def _drop(self, lines: int) -> None:
        with self._lock:
            self._dropped += lines
        DROPPED.add(lines)

    def _run(self) -> None:
        """Write what waits until the writer is closed; the thread's work."""
        written_at = -PAUSE_SECONDS
        while True:
            self._wanted.wait()
            if time.monotonic() - written_at < PAUSE_SECONDS:
                self._closing.wait(PAUSE_SECONDS)
            self._wanted.clear()
            last = self._closing.is_set()
            with self._lock:
                text = "".join(self._texts)
                self._texts.clear()
            written = self._write(text.encode(self._encoding, "backslashreplace"))
            with self._lock:
                self._waiting -= len(text)
                dropped, self._dropped = (self._dropped, 0) if written else (0, self._dropped)
            if dropped:
                log.warning("log.lines_dropped", lines=dropped)
            if last:
                return
            written_at = time.monotonic()

    def _write(self, content: bytes) -> bool:
        """Write all of it; False if it could not be written, its lines are dropped then."""
        rest = memoryview(content)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another process has made the pipe non-blocking
                select.select((), (self._descriptor,), (), 1.0)
            except OSError:  # its reader is gone, or the disk is full
                self._drop(bytes(rest).count(b"\n"))
                return False
        return bool(content)


def write_message(output: TextOutput, line: str) -> None:
    """Write a line for people; an output that is closed is no reason to fail."""
    with contextlib.suppress(OSError, ValueError):
        output.write(f"{line}\n")
        output.flush()
