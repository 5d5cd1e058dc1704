"""Lines go out by a thread: whoever writes them never waits and never fails."""

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest
import structlog

from codex_proapi.commons.runtime.line_writer import DROPPED, LineWriter, write_message

PATIENCE_SECONDS = 60


class Pipe:
    """A pipe whose reader may stop."""

    def __init__(self) -> None:
        self.read_end, write_end = os.pipe()
        self.stream: TextIO = os.fdopen(write_end, "w")
        self.taken = b""

    def take_until(self, word: bytes) -> bytes:
        """Read until this has come."""
        while word not in self.taken:
            piece = os.read(self.read_end, 65536)
            assert piece, self.taken[-200:]
            self.taken += piece
        return self.taken


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    with contextlib.suppress(OSError):
        os.close(made.read_end)
    with contextlib.suppress(OSError):
        made.stream.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.001)


def test_lines_arrive_in_their_order_and_in_their_encoding(pipe: Pipe) -> None:
    with LineWriter(pipe.stream) as writer:
        for number in range(1000):
            writer.write(f"{number} schön \udc80\n")
        writer.flush()

    lines = pipe.take_until(b"999 sch").decode().splitlines()
    assert [line.split()[0] for line in lines] == [str(number) for number in range(1000)]
    assert lines[0] == "0 schön \\udc80"
    assert not writer.isatty()


def test_a_reader_that_stops_costs_lines_and_nothing_else(pipe: Pipe) -> None:
    before = DROPPED.count
    structlog.reset_defaults()
    with LineWriter(pipe.stream, most=100_000) as writer:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(writer))  # type: ignore[arg-type]
        for _ in range(1000):
            writer.write("x" * 999 + "\n")  # a megabyte: the pipe takes 64 KiB, the queue 100 kB

        dropped = DROPPED.count - before
        assert 800 <= dropped < 1000
        assert f"{dropped} lines dropped" in repr(writer)
        pipe.take_until(f"lines={dropped}".encode())
        assert pipe.taken.count(b"x" * 999 + b"\n") == 1000 - dropped
        assert pipe.taken.count(b"log.lines_dropped") == 1, "it is told once"

        writer.write("and on\n")
        pipe.take_until(b"and on\n")
        assert DROPPED.count - before == dropped
    structlog.reset_defaults()


def test_a_reader_that_is_gone_costs_lines_and_nothing_else(pipe: Pipe) -> None:
    before = DROPPED.count
    os.close(pipe.read_end)
    with LineWriter(pipe.stream) as writer:
        writer.write("one\n")
        until(lambda: DROPPED.count == before + 1)
        writer.write("two\nthree\n")
        until(lambda: DROPPED.count == before + 3)
    writer.write("after the end\n")

    assert DROPPED.count == before + 4


def test_the_end_of_a_process_waits_for_a_reader_only_so_long(pipe: Pipe) -> None:
    writer = LineWriter(pipe.stream)
    writer.write("x" * 1_000_000 + "\n")

    writer.close(seconds=0.01)

    assert "1000001 characters waiting" in repr(writer)
    pipe.take_until(b"x\n")


def test_a_pipe_that_another_process_has_made_non_blocking_loses_no_line(pipe: Pipe) -> None:
    os.set_blocking(pipe.stream.fileno(), False)
    with LineWriter(pipe.stream) as writer:
        writer.write("x" * 300_000 + "\n")
        pipe.take_until(b"x\n")

    assert len(pipe.taken) == 300_001


def test_a_message_to_nobody_is_no_reason_to_fail() -> None:
    closed = io.StringIO()
    closed.close()

    write_message(closed, "hello")
