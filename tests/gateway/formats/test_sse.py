"""Bytes to messages and back: any cut, any line end, nothing beyond the limit."""

import httpx
import httpx_sse
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.playbook import in_pieces, transcript

from codex_proapi.gateway.errors import Malformed
from codex_proapi.gateway.formats.sse import (
    SSEDecoder,
    SSEMessage,
    SSESplitter,
    encode_sse,
    event_end,
    read_block,
)

STREAM = transcript("text_reasoning_tool")

field_values = st.text(
    alphabet=st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=8
)
data_lines = st.builds(
    lambda space, value: f"data:{space}{value}", st.sampled_from(["", " "]), field_values
)
other_lines = st.builds(
    lambda name, value: f"{name}: {value}", st.sampled_from(["event", ""]), field_values
)
blocks = st.lists(data_lines | other_lines, min_size=0, max_size=3).map(
    lambda lines: [*lines, "data: end"]
)
streams = st.builds(
    lambda blocks, line_end: "".join(line_end.join([*lines, "", ""]) for lines in blocks).encode(),
    st.lists(blocks, max_size=4),
    st.sampled_from(["\n", "\r\n", "\r"]),
)


def decoded(*pieces: bytes) -> list[SSEMessage]:
    decoder = SSEDecoder()
    return [message for piece in pieces for message in decoder.feed(piece)]


def said(*pieces: bytes) -> list[tuple[bytes | None, bytes]]:
    return [(message.event, message.data) for message in decoded(*pieces)]


def test_a_message_has_an_event_and_its_data() -> None:
    assert decoded(b"event: a\ndata: 1\n\n") == [SSEMessage(b"a", b"1", b"event: a\ndata: 1")]


def test_data_lines_are_joined_and_comments_dropped() -> None:
    assert said(b": ping\n\ndata: 1\n: x\ndata:2\nid: 7\nretry: 9\n\n") == [(None, b"1\n2")]


def test_only_one_space_after_the_colon_is_dropped() -> None:
    assert said(b"data:  x \n\n") == [(None, b" x ")]


def test_a_block_without_data_says_nothing() -> None:
    assert said(b"event: a\n\n: only a comment\n\n\n\n") == []


def test_an_empty_event_name_is_none() -> None:
    assert said(b"event:\ndata: 1\n\n") == [(None, b"1")]


def test_characters_that_only_look_like_line_ends_are_text() -> None:
    text = "a\u2028b\u0085c\x0bd".encode()

    assert said(b"data: " + text + b"\n\n") == [(None, text)]


def test_what_has_no_blank_line_after_it_is_left_over() -> None:
    splitter = SSESplitter()

    assert splitter.feed(b"data: 1\n\ndata: 2\n") == [b"data: 1"]
    assert splitter.close() == b"data: 2\n"
    assert splitter.close() == b""


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_gives_the_same_messages_at_every_cut(line_end: bytes) -> None:
    whole = b"\xef\xbb\xbf" + line_end.join([b"event: a", b"data: 1", b"", b"data: 2", b"", b""])
    expected = [(b"a", b"1"), (None, b"2")]

    for first in range(len(whole) + 1):
        for second in range(first, len(whole) + 1):
            assert said(*in_pieces(whole, first, second)) == expected


def test_bytes_that_begin_like_a_byte_order_mark_are_kept() -> None:
    assert decoded(b"\xef", b"data: 1\n\n", b"data: 2\n\n")[-1].data == b"2"


def test_the_sample_stream_is_the_same_at_every_single_cut() -> None:
    expected = decoded(STREAM)

    assert len(expected) == 21
    for cut in range(0, len(STREAM), 7):
        assert decoded(*in_pieces(STREAM, cut)) == expected


@given(streams, st.lists(st.integers(0, 200), max_size=6))
def test_any_cut_gives_the_same_messages(stream: bytes, cuts: list[int]) -> None:
    assert said(*in_pieces(stream, *cuts)) == said(stream)


@given(streams)
def test_a_public_decoder_reads_the_same(stream: bytes) -> None:
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    theirs = [(event.event, event.data) for event in httpx_sse.EventSource(response).iter_sse()]

    assert [
        ((event or b"message").decode(), data.decode()) for event, data in said(stream)
    ] == theirs


def test_messages_before_an_endless_one_are_given_first() -> None:
    decoder = SSEDecoder(limit=10)

    assert [m.data for m in decoder.feed(b"data: 1\n\ndata: 12345\n\ndata: 2\n\n")] == [b"1"]
    with pytest.raises(Malformed):
        decoder.feed(b"data: 3\n\n")


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    decoder = SSEDecoder()
    line = b"data: " + b"x" * 1_000_000

    with pytest.raises(Malformed):
        for _ in range(50):
            decoder.feed(line)
    assert "0 bytes pending" in repr(decoder)


@pytest.mark.parametrize("cut", range(14))
def test_the_limit_does_not_depend_on_the_cut(cut: int) -> None:
    splitter = SSESplitter(limit=7)
    fits, too_long = b"data: 1\n\n", b"data: 12\n\n"

    for piece in in_pieces(fits + too_long, cut):
        splitter.feed(piece)
    assert splitter.overlong

    splitter = SSESplitter(limit=7)
    given = [block for piece in in_pieces(fits + fits, cut) for block in splitter.feed(piece)]
    assert given == [b"data: 1", b"data: 1"]
    splitter.check()


def test_a_large_read_of_small_messages_is_within_the_limit() -> None:
    splitter = SSESplitter(limit=10)

    assert len(splitter.feed(b"data: 1\n\n" * 9)) == 9
    splitter.check()


def test_one_large_message_in_many_reads_is_put_together_once() -> None:
    splitter = SSESplitter()
    for _ in range(1000):
        assert splitter.feed(b"x" * 10_000) == []

    assert len(splitter.feed(b"\n\n")[0]) == 10_000_000


def test_encoded_messages_decode_again() -> None:
    assert encode_sse(b"{}") == b"data: {}\n\n"
    assert said(encode_sse(b"{}", event=b"a")) == [(b"a", b"{}")]
    assert read_block(b"") is None


@given(
    st.lists(st.sampled_from([b"\n", b"\n\n", b"a", b"data: x", b"event: y\ndata: z"]), max_size=12)
)
def test_an_event_ends_with_its_first_blank_line(pieces: list[bytes]) -> None:
    whole = b"".join(pieces) + b"\n\n"
    for begin in range(len(whole) - 1):
        assert event_end(whole, begin) == whole.find(b"\n\n", begin) + 2
