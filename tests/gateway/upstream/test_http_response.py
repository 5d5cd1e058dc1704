"""What the parser tells, in any pieces; what sockets do to it is in the client's tests."""

import asyncio
import gc
import itertools
import weakref
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.gateway.upstream.http_connection import HttpConnection
from codex_proapi.gateway.upstream.http_response import (
    HEAD_BYTES,
    HIGH_WATER,
    ConnectionLost,
    HttpResponse,
)

CHUNKED = (
    b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'5;name=value;other="a b"\r\nhello\r\n00000A\r\n, everyone\r\n'
    b"0;last\r\nx-a: from a trailer\r\ncontent-type: text/html\r\n\r\n"
)
SIZED = b"HTTP/1.1 429 Too Many\r\ncontent-length: 5\r\nx-b: \xff\r\nx-b: two\r\n\r\nhello"
ENDLESS = b"HTTP/1.0 200 OK\r\n\r\nhello, everyone"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
SAMPLES = {
    CHUNKED: (200, b"hello, everyone"),
    SIZED: (429, b"hello"),
    ENDLESS: (200, b"hello, everyone"),
    EMPTY: (204, b""),
}


class Transport:
    """Of a connection that is open."""

    def writelines(self, pieces: Any) -> None:
        """A request is sent."""

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


class Owner:
    """The client of a connection, which keeps it."""

    def __init__(self) -> None:
        self.kept = 0

    def answered(self, answer: Any) -> None:
        """It is the first of its connection."""

    def keep(self, connection: Any) -> None:
        self.kept += 1

    def forget(self, connection: Any) -> None:
        """It is gone."""


class Connection(HttpConnection):
    """A connection on which one request was sent, and what its answer asks of it."""

    def __init__(self) -> None:
        self.owner = Owner()
        super().__init__(self.owner)  # type: ignore[arg-type]
        self.resumes = self.aborted = self.pauses = 0
        self.connection_made(Transport())  # type: ignore[arg-type]
        self.answer = self.send(b"", b"")

    @property
    def parser(self) -> Any:
        return self._parser

    def pause(self) -> None:
        self.pauses += 1
        self.paused = True

    def resume(self) -> None:
        self.resumes += 1
        self.paused = False

    def abort(self) -> None:
        self.aborted += 1

    def ending(self) -> None:
        """Nobody waits for it."""

    def feed(self, *pieces: bytes) -> HttpResponse:
        """What comes over the connection, which then ends."""
        for piece in pieces:
            if self.answer.complete:
                break
            try:
                self.parser.feed_data(piece)
                self.answer.fed(len(piece))
            except (httptools.HttpParserError, httptools.HttpParserUpgrade, ConnectionLost):
                break
        self.answer.end()
        return self.answer


def in_pieces(data: bytes, cuts: Any) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


def facts_of(answer: HttpResponse) -> Any:
    async def read() -> Any:
        body = b""
        try:
            while piece := await answer.read():
                body += piece
        except ConnectionLost:
            return body, "lost"
        return body, "whole"

    return answer.status, answer.headers, *asyncio.run(read())


@pytest.mark.parametrize("data", SAMPLES)
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_pieces_give_the_same_answer(data: Any, cuts: Any) -> None:
    status, headers, body, end = facts_of(Connection().feed(*in_pieces(data, cuts)))

    assert (status, body, end) == (*SAMPLES[data], "whole")
    assert headers.get("x-a", "b") == "b"
    assert headers.get("x-b", "two") == "two"
    assert "content-type" not in headers


@pytest.mark.parametrize("data", SAMPLES)
def test_an_answer_that_ends_too_early_is_lost_wherever_that_is(data: Any) -> None:
    for length in range(len(data)):
        status, _, body, end = facts_of(Connection().feed(data[:length]))

        assert status in {0, SAMPLES[data][0]}
        assert SAMPLES[data][1].startswith(body)
        if data is not ENDLESS:
            assert end == "lost"


@given(
    data=st.sampled_from(list(SAMPLES)),
    changes=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=4),
    cuts=st.lists(st.integers(0, 400), max_size=5),
)
def test_broken_bytes_break_nothing_but_their_answer(data: Any, changes: Any, cuts: Any) -> None:
    for place, instead in changes:
        at = place % len(data)
        data = data[:at] + instead + data[at + 1 :]

    whole = facts_of(Connection().feed(data))
    cut = facts_of(Connection().feed(*in_pieces(data, cuts)))

    assert whole[0] == cut[0]
    assert whole[2:] == cut[2:]


def test_a_second_answer_is_no_part_of_the_first() -> None:
    for cuts in ([], [len(SIZED)], [len(SIZED) + 9], [len(SIZED) - 2]):
        facts = facts_of(Connection().feed(*in_pieces(SIZED + SIZED + ENDLESS, cuts)))

        assert (facts[0], *facts[2:]) == (429, b"hello", "whole")


@given(
    answers=st.lists(
        st.tuples(
            st.sampled_from([CHUNKED, SIZED, EMPTY]), st.lists(st.integers(0, 400), max_size=6)
        ),
        max_size=5,
    )
)
def test_answers_over_one_connection_have_nothing_of_each_other(answers: Any) -> None:
    connection, came = Connection(), []
    for data, cuts in answers:
        came.append(connection.send(b"", b""))
        for piece in in_pieces(data, cuts):
            connection.data_received(piece)

    assert connection.owner.kept == len(answers)
    assert not connection.aborted
    assert [facts_of(answer) for answer in came] == [
        facts_of(Connection().feed(data)) for data, _ in answers
    ]


@pytest.mark.parametrize("first", [CHUNKED, SIZED, EMPTY])
def test_bytes_behind_an_answer_end_the_connection_at_every_cut(first: bytes) -> None:
    behind = b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\nstolen"
    for length in range(1, len(behind)):
        connection = Connection()
        answer = connection.answer
        connection.data_received(first + behind[:length])

        assert connection.aborted, length
        assert not connection.owner.kept
        assert facts_of(answer)[:1] == (SAMPLES[first][0],)

        connection = Connection()
        connection.data_received(first)
        connection.data_received(behind[:length])
        assert connection.aborted, length


def test_a_connection_that_is_gone_is_freed_without_the_garbage_collector() -> None:
    connection = Connection()
    connection.data_received(SIZED)
    gone = weakref.ref(connection)
    connection.connection_lost(None)
    gc.disable()
    try:
        del connection
        assert gone() is None
    finally:
        gc.enable()


def test_a_head_that_does_not_end_is_given_up() -> None:
    connection = Connection()

    answer = connection.feed(b"HTTP/1.1 200 OK\r\n", *[b"x-a: b\r\n" * 100] * 1000)

    assert answer.size <= HEAD_BYTES + 800
    assert facts_of(answer)[3] == "lost"


def test_who_has_much_unread_is_told_to_wait() -> None:
    connection = Connection()
    connection.parser.feed_data(ENDLESS)

    assert not connection.answer.fed(HIGH_WATER)
    assert connection.answer.fed(1)


async def test_reading_lets_more_come_and_closing_cuts() -> None:
    connection = Connection()
    connection.parser.feed_data(ENDLESS)
    answer = connection.answer

    assert await answer.read() == b"hello, everyone"
    assert connection.resumes == 0, "not before it is passed on"
    more = asyncio.ensure_future(answer.read())
    await asyncio.sleep(0)
    assert connection.resumes == 1
    more.cancel()
    assert repr(answer) == "<HttpResponse 200 under way>"
    answer.close()
    answer.close()
    assert connection.aborted == 1
    assert answer.closed


class Taking:
    """A receiver that says stop as often as it is told to."""

    def __init__(self, *stops: bool) -> None:
        self.stops = list(stops)
        self.got: list[bytes] = []
        self.ends: list[object] = []

    def received(self, data: bytes) -> bool:
        self.got.append(data)
        return not (self.stops and self.stops.pop(0))

    def ended(self, error: object) -> None:
        self.ends.append(error)


HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def pushed(connection: Connection, receiver: Taking, *pieces: bytes) -> list[bool]:
    """Feed after the head and one piece have come and the receiver was given them."""
    connection.parser.feed_data(HEAD + b"1\r\na\r\n")
    connection.answer.fed(50)
    connection.answer.push_to(receiver)
    paused = []
    for piece in pieces:
        connection.parser.feed_data(piece)
        paused.append(connection.answer.fed(len(piece)))
    return paused


def test_a_receiver_gets_what_has_come_then_each_read_as_one_piece() -> None:
    connection, receiver = Connection(), Taking()

    paused = pushed(connection, receiver, b"1\r\nb\r\n1\r\nc\r\n", b"2\r\nde", b"\r\n0\r\n\r\n")
    assert receiver.ends == []
    connection.answer.end()

    assert receiver.got == [b"a", b"bc", b"de"]
    assert receiver.ends == [None]
    assert paused == [False, False, False]


def test_a_receiver_pauses_the_connection() -> None:
    connection, receiver = Connection(), Taking(True, False, True)

    paused = pushed(connection, receiver, b"1\r\nb\r\n", b"1\r\nc\r\n")

    assert connection.pauses == 1  # by what had come already
    assert paused == [False, True]


def test_a_receiver_is_told_that_the_connection_broke() -> None:
    connection, receiver = Connection(), Taking()
    pushed(connection, receiver)
    connection.answer.end()

    assert receiver.got == [b"a"]
    assert isinstance(receiver.ends[0], ConnectionLost)


def test_a_receiver_of_a_whole_answer_gets_it_at_once() -> None:
    connection, receiver = Connection(), Taking()
    connection.parser.feed_data(HEAD + b"1\r\na\r\n0\r\n\r\n")
    connection.answer.fed(60)
    connection.answer.end()
    connection.answer.push_to(receiver)

    assert (receiver.got, receiver.ends) == ([b"a"], [None])


def test_framing_without_end_is_no_answer_to_a_receiver_either() -> None:
    connection = Connection()
    with pytest.raises(ConnectionLost):
        pushed(connection, Taking(), b"0\r\n", *[b"x: " + b"y" * 5000 + b"\r\n"] * 20)
