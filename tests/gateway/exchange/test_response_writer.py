import asyncio
from typing import Any

import pytest
from support.asgi import Sent

from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.api.dialects.chat import CHAT
from codex_proapi.gateway.api.dialects.limit_headers import headers_of_limits
from codex_proapi.gateway.errors import BadRequest, Truncated, UpstreamSlow
from codex_proapi.gateway.exchange.answer.pushed_stream import SLICE_BYTES
from codex_proapi.gateway.exchange.answer.response_writer import (
    KEEP_ALIVE_TICKS,
    SILENCE_TICKS,
    ResponseWriter,
    WriterTerms,
)
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.metrics.histograms import LabelledHistogram
from codex_proapi.gateway.server.sink import HttpSink
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport


def a_sink(send: Any) -> HttpSink:
    return HttpSink(send, "req_1", CHAT)


class Wire:
    """A wire that passes everything on, until it sees a full stop."""

    keep_alive = b": keep-alive\n\n"

    def __init__(self) -> None:
        self.report = ResponseReport()
        self.done = False

    def feed(self, data: Any) -> Any:
        if b"!" in data:
            raise BadRequest("refused in the stream", code="no")
        if b"." in data:
            self.done = True
            self.report.ending = Ending.WHOLE
        return data

    def finish(self) -> Any:
        if not self.done:
            raise Truncated("cut")
        return b"the end"

    def fail(self, error: Any) -> Any:
        return f"error: {error.code}".encode()


class Source:
    """An upstream stream; what it says is put in by the test."""

    def __init__(self, held: Any, *pieces: Any) -> None:
        self.held = held
        self.released = False
        self._pieces = list(pieces)

    async def read(self) -> Any:
        if not self._pieces:
            return await asyncio.Event().wait()
        return self._pieces.pop(0)

    def release(self) -> None:
        self.released = True


class Scene:
    """A reply with all that belongs to it."""

    def __init__(self, *, streams: Any = True, patience: Any = 10) -> None:
        self.sent = Sent()
        self.tasks = Tasks()
        self.records: list[Any] = []
        self.exchange = Exchange(
            request_id="req_1", endpoint="chat", at=0.0, readers=[self.records.append]
        )
        self.gaps = LabelledHistogram((1, 10, 100))
        self.now = 0.0
        self.early: list[float] = []
        self.reply = ResponseWriter(
            a_sink(self.sent),
            self.exchange,
            WriterTerms(
                tasks=self.tasks,
                patience_ticks=patience,
                gaps=self.gaps,
                limit_headers=headers_of_limits,
                translator=lambda _: self.translator,
                early=lambda: self.early.append(self.now),
                clock=lambda: self.now,
            ),
        )
        self.translator: Any = Wire()
        self.reply.begin(streams=streams, codex=False)

    async def ticks(self, count: int) -> None:
        for _ in range(count):
            self.reply.tick()
            await asyncio.sleep(0)
            await asyncio.sleep(0)


async def test_one_write_for_each_read_and_the_last_one_ends_the_stream() -> None:
    scene = Scene()
    source = Source(b"one ", b"two ", b"", b"three.")
    source._pieces[1] = b"(nothing to say)"
    scene.translator.feed = lambda data: (
        b"" if b"nothing" in data else Wire.feed(scene.translator, data)
    )

    await scene.reply.stream(source, headers=[(b"x-more", b"y")])

    assert scene.sent.bodies == [b"one ", b"two ", b"three."]
    assert scene.sent.ended
    assert source.released
    assert scene.sent.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert scene.sent.headers["x-request-id"] == "req_1"
    assert scene.sent.headers["x-more"] == "y"
    scene.exchange.settle()
    assert (scene.records[0].ending, scene.records[0].status) == (Ending.WHOLE, 200)


async def test_an_answer_that_was_held_whole_needs_no_read() -> None:
    scene = Scene()

    await scene.reply.stream(Source(b"all at once."))

    assert scene.sent.bodies == [b"all at once."]
    assert not scene.early


async def test_a_stream_that_ends_early_raises_and_its_last_words_are_the_error() -> None:
    scene = Scene()

    with pytest.raises(Truncated):
        await scene.reply.stream(Source(b"one ", b""))
    await scene.reply.fail(Truncated("cut"))

    assert scene.sent.bodies == [b"one ", b"error: upstream_stream_truncated"]
    assert scene.sent.ended


async def test_a_failure_before_the_first_byte_is_a_status() -> None:
    scene = Scene()

    with pytest.raises(BadRequest):
        await scene.reply.stream(Source(b"no!"))
    await scene.reply.fail(BadRequest("no"))

    assert scene.sent.status == 400
    assert scene.sent.error["message"] == "no"


async def test_an_answer_in_one_piece_is_sent_when_it_is_whole() -> None:
    scene = Scene(streams=False)

    await scene.reply.whole(Source(b"one ", b"two."), headers=[(b"x-more", b"y")])

    assert scene.sent.status == 200
    assert scene.sent.bodies == [b"the end"]
    assert scene.sent.headers["content-length"] == "7"
    assert scene.sent.headers["x-more"] == "y"


async def test_an_answer_in_one_piece_that_is_cut_is_an_error() -> None:
    scene = Scene(streams=False)

    with pytest.raises(Truncated):
        await scene.reply.whole(Source(b"one ", b""))


async def test_an_answer_in_one_piece_that_was_cut_may_be_folded_anew() -> None:
    scene = Scene(streams=False)
    with pytest.raises(Truncated):
        await scene.reply.whole(Source(b"one ", b""))

    await scene.ticks(SILENCE_TICKS + 1)  # another account is looked for: nobody reads
    scene.translator = Wire()
    scene.reply.renew()
    await scene.reply.whole(Source(b"all."))

    assert not scene.exchange.interrupted
    assert (scene.sent.status, scene.sent.bodies) == (200, [b"the end"])


@pytest.mark.parametrize("pump", ["stream", "whole"])
async def test_what_must_be_kept_is_kept_before_the_client_learns_that_all_is_said(
    pump: Any,
) -> None:
    scene = Scene(streams=pump == "stream")
    seen = []

    async def keep() -> None:
        seen.append(list(scene.sent.bodies))

    await getattr(scene.reply, pump)(Source(b"one ", b"two."), before_last=keep)

    assert seen == [[b"one "] if pump == "stream" else []]


@pytest.mark.parametrize("pump", ["stream", "whole"])
async def test_before_its_request_is_read_nothing_can_be_pumped(pump: Any) -> None:
    scene = Scene()
    reply = ResponseWriter(
        a_sink(scene.sent),
        scene.exchange,
        WriterTerms(
            tasks=scene.tasks,
            patience_ticks=10,
            gaps=scene.gaps,
            limit_headers=headers_of_limits,
            translator=lambda _: scene.translator,
        ),
    )

    with pytest.raises(RuntimeError):
        await getattr(reply, pump)(Source(b""))


async def test_after_its_patience_a_waiting_stream_is_begun_and_kept_alive() -> None:
    scene = Scene(patience=10)

    await scene.ticks(9)
    assert scene.sent.messages == []
    await scene.ticks(1)
    assert (scene.sent.status, scene.sent.bodies) == (200, [b": keep-alive\n\n"])
    await scene.ticks(KEEP_ALIVE_TICKS)
    assert scene.sent.bodies == [b": keep-alive\n\n"] * 2
    assert len(scene.early) == 1, "it is counted as one that began before the backend said anything"

    await scene.reply.stream(Source(b"all at last."))
    assert scene.sent.bodies[-1] == b"all at last."
    assert len([m for m in scene.sent.messages if m["type"] == "http.response.start"]) == 1


@pytest.mark.parametrize("pump", ["stream", "whole"])
async def test_the_time_between_two_reads_of_upstream_is_counted(pump: Any) -> None:
    scene = Scene(streams=pump == "stream")
    source = Source(b"one ", b"two ", b"three ", b"four.")
    waits = [0.5, 50, 5]

    async def read() -> Any:
        scene.now += waits.pop(0)
        return source._pieces.pop(0)

    source.read = read  # type: ignore[method-assign]
    await getattr(scene.reply, pump)(source)

    assert scene.gaps.counts == [1, 1, 1, 0]
    assert scene.gaps.total == 55.5


async def test_the_time_a_slow_client_takes_is_no_gap_of_upstream() -> None:
    scene = Scene()
    source = Source(b"one ", b"two.")

    async def send(message: Any) -> None:
        if message.get("body") == b"one ":
            scene.now += 30
            scene.reply.tick()

    scene.reply._sink = a_sink(send)
    await scene.reply.stream(source)

    assert scene.gaps.counts == [1, 0, 0, 0]


async def test_who_asked_for_no_stream_waits() -> None:
    scene = Scene(streams=False, patience=1)

    await scene.ticks(60)

    assert scene.sent.messages == []


async def test_a_silent_stream_is_kept_alive_every_ten_seconds() -> None:
    scene = Scene()
    pump = asyncio.ensure_future(scene.reply.stream(Source(b"one ")))
    await asyncio.sleep(0)

    await scene.ticks(25)

    assert scene.sent.bodies == [b"one ", b": keep-alive\n\n", b": keep-alive\n\n"]
    pump.cancel()


async def test_upstream_that_is_silent_for_five_minutes_is_given_up() -> None:
    scene = Scene()

    async def serve() -> None:
        with pytest.raises(asyncio.CancelledError):
            await scene.reply.stream(Source(b"one "))

    scene.exchange.task = pump = asyncio.ensure_future(serve())
    await asyncio.sleep(0)

    await scene.ticks(SILENCE_TICKS + 1)
    await pump

    assert isinstance(scene.exchange.interruption, UpstreamSlow)


async def test_while_the_client_reads_slowly_upstream_is_not_to_blame() -> None:
    scene = Scene()
    read_on = asyncio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await read_on.wait()

    scene.reply._sink = a_sink(send)
    pump = asyncio.ensure_future(scene.reply.stream(Source(b"one ", b"two.")))
    await asyncio.sleep(0)

    await scene.ticks(2 * SILENCE_TICKS)

    assert not scene.exchange.interrupted
    assert len(scene.tasks) == 0
    read_on.set()
    await pump


async def test_a_settled_exchange_is_kept_alive_no_more() -> None:
    scene = Scene(patience=1)
    scene.exchange.settle()

    await scene.ticks(3)

    assert scene.sent.messages == []


async def test_it_tells_where_it_stands() -> None:
    scene = Scene()

    assert repr(scene.reply) == "<ResponseWriter req_1 waiting after 0 s>"
    assert not scene.reply.started


async def test_the_patience_begins_when_the_request_is_read_not_while_it_is_sent() -> None:
    scene = Scene(patience=10)
    writer = scene.reply = ResponseWriter(
        a_sink(scene.sent),
        scene.exchange,
        WriterTerms(
            tasks=scene.tasks,
            patience_ticks=10,
            gaps=scene.gaps,
            limit_headers=headers_of_limits,
            translator=lambda _: scene.translator,
        ),
    )
    await scene.ticks(30)

    writer.begin(streams=True, codex=False)
    await scene.ticks(9)
    assert scene.sent.messages == []
    writer.begin(streams=True, codex=False)
    await scene.ticks(1)
    assert scene.sent.status == 200


async def test_a_large_read_is_written_in_slices_so_that_a_slow_reader_holds_little() -> None:
    scene = Scene()
    large = b"x" * (3 * SLICE_BYTES + 5)

    await scene.reply.stream(Source(b"one ", large, b"end."))

    assert scene.sent.bodies == [b"one ", *[b"x" * SLICE_BYTES] * 3, b"x" * 5, b"end."]
    assert scene.sent.ended


async def test_nothing_is_translated_behind_the_end_of_an_answer() -> None:
    scene = Scene()

    await scene.reply.stream(Source(b"one ", b"." + b"x" * 2 * SLICE_BYTES))

    assert [len(body) for body in scene.sent.bodies] == [4, SLICE_BYTES]
    assert scene.sent.ended
