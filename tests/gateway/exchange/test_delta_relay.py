"""The compiled relay of reads beside the Python code that notes and writes the same."""

import gc
import weakref
from typing import Any

import pytest
from gateway.exchange.test_pushed_stream import Scene

from codex_proapi.commons.native import NATIVE
from codex_proapi.gateway.exchange.answer.stream_times import StreamTimes
from codex_proapi.gateway.metrics.histograms import LabelledHistogram

if NATIVE.code is not None:
    from codex_proapi_native import DeltaCopier, DeltaRelay

pytestmark = pytest.mark.skipif(NATIVE.code is None, reason="the extension is not installed")

LINES = b"data: "
DELTA = b'data: {"delta":"a"}\n\n'
READ = b"%x\r\n%b\r\n" % (len(DELTA), DELTA)


class Stream:
    """A client's stream whose reads are relayed, or handled by Python code."""

    def __init__(self, *moments: float) -> None:
        self.scene = Scene()
        self.transport = self.scene.connection.transport
        self.cycle = self.scene.cycle
        self.cycle.start(200, [])
        self.cycle.write(b"")
        self.transport.written.clear()
        self.times = StreamTimes(LabelledHistogram((1, 10)), iter(moments).__next__)
        self.times.begin()
        self.times.idle = self.times.silent = 7
        self.full = 0
        self.other: list[bytes] = []

    def relay(self, *, limit: int = 1000, noted: bool = False) -> "DeltaRelay":
        return DeltaRelay(
            DeltaCopier(LINES, (), None, -1),
            self.cycle,
            times=self.times,
            full=self.wait,
            other=self.other.append,
            limit=limit,
            noted=noted,
        )

    def wait(self) -> None:
        self.full += 1

    def received(self, framed: bytes) -> None:
        """What the relay does, in Python."""
        self.times.received()
        if framed:
            self.times.silent = 0
            if not self.cycle.write_framed(framed):
                self.wait()

    @property
    def facts(self) -> tuple[Any, ...]:
        times, gaps = self.times, self.times.gaps
        return (
            *(times.received_at, times.idle, times.silent, gaps.counts, gaps.total, self.full),
            self.transport.written,
        )


@pytest.mark.parametrize("gap", [0.0, 0.5, 1, 1.5, 10, 10.5, 1000])
@pytest.mark.parametrize("full_after", [1, 2, 10])
async def test_a_read_is_noted_and_written_as_by_python(gap: float, full_after: int) -> None:
    relayed, handled = (Stream(100, 100 + gap, 2000) for _ in range(2))
    for stream in (relayed, handled):
        stream.transport.full_after = full_after
    relay = relayed.relay()
    for _ in range(2):
        relay.received(READ)
        handled.received(READ)

    assert relayed.facts == handled.facts
    assert sum(relayed.times.gaps.counts) == 2


async def test_a_read_with_nothing_to_write_yet_is_noted_alone() -> None:
    stream = Stream(100, 101)
    stream.relay().received(READ[:9])

    assert (stream.times.idle, stream.times.silent, stream.transport.written) == (0, 7, [])


async def test_the_rest_of_a_read_that_was_noted_is_not_noted_again() -> None:
    stream = Stream(100, 103)
    relay = stream.relay(noted=True)
    relay.received(READ)
    assert (stream.times.received_at, sum(stream.times.gaps.counts)) == (100, 0)

    assert not relay.noted
    relay.received(READ)
    assert (stream.times.received_at, sum(stream.times.gaps.counts)) == (103, 1)


@pytest.mark.parametrize("how", ["disconnected", "closing"])
async def test_nothing_is_written_to_a_client_that_has_left(how: str) -> None:
    stream = Stream(100, 101)
    stream.cycle.disconnected = how == "disconnected"
    stream.transport.is_closing = lambda: how == "closing"
    stream.relay().received(READ)

    assert stream.transport.written == []
    assert stream.times.idle == 0


async def test_what_it_does_not_take_is_anothers() -> None:
    stream = Stream(100)
    relay = stream.relay(limit=len(READ))
    relay.received(READ + READ)
    assert stream.other == [READ + READ]  # longer than the limit: the copier does not have it
    relay.received(b"5\r\nhello\r\n")
    assert stream.other[1:] == [b""]  # the copier has it

    relay.stop()
    relay.received(READ)
    assert stream.other[2:] == [READ]
    assert "stopped" in repr(relay)
    assert stream.transport.written == []


@pytest.mark.parametrize("broken", ["clock", "write", "is_closing", "gaps"])
async def test_an_exception_is_its_callers(broken: str) -> None:
    def fail(*_: object) -> None:
        raise LookupError

    stream = Stream(100, 101)
    if broken == "clock":
        stream.times.clock = fail  # type: ignore[assignment]
    elif broken == "gaps":
        stream.times.gaps.counts.clear()
    else:
        setattr(stream.transport, broken, fail)
    with pytest.raises(LookupError):
        stream.relay().received(READ)


async def test_what_cannot_be_relayed_is_refused() -> None:
    stream = Stream(100)
    with pytest.raises(TypeError):
        stream.relay().received("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        stream.relay(limit="x")  # type: ignore[arg-type]
    wait = stream.wait
    with pytest.raises(TypeError):
        DeltaRelay(object(), None, times=None, full=wait, other=print, limit=1, noted=False)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        DeltaRelay(
            DeltaCopier(LINES, (), None, -1),
            object(),
            times=stream.times,
            full=wait,
            other=print,
            limit=1,
            noted=False,
        )


async def test_a_relay_that_its_own_stream_holds_is_freed() -> None:
    class Held(Stream):
        held: "DeltaRelay"

    stream = Held(100)
    stream.held = stream.relay()
    left = weakref.ref(stream)
    del stream
    gc.collect()

    assert left() is None
