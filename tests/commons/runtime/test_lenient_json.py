"""JSON as backends write it, halves of surrogate pairs included."""

import json
import tracemalloc

import msgspec
import pytest

from codex_proapi.commons.runtime.lenient_json import (
    DECODE_ERRORS,
    MOST_REPLACED,
    read_any,
    reader,
    without_lone_surrogates,
    write,
)


class Delta(msgspec.Struct):
    delta: str


class Holder(msgspec.Struct):
    item: msgspec.Raw


def test_half_an_emoji_is_kept_and_two_halves_are_whole_again() -> None:
    read = reader(Delta)
    first, second = read(rb'{"delta":"a \ud83d"}').delta, read(rb'{"delta":"\ude00 b"}').delta

    assert json.loads(write(first + second)) == "a 😀 b"
    assert json.loads(write({"delta": first})) == {"delta": "a \ud83d"}


def test_raw_parts_get_a_replacement_for_half_an_emoji() -> None:
    item = reader(Holder)(rb'{"item":{"a":"\ud83d","b":"\ud83d\ude00","c":"\\ud83d"}}').item

    assert read_any(item) == {"a": "\ufffd", "b": "😀", "c": r"\ud83d"}


@pytest.mark.parametrize(
    "bad", [b"{", b'"\xff"', b'{"delta":1}', rb'{"delta":"\\ud83d"', b"[" * 100_000]
)
def test_what_cannot_be_read_raises_a_decode_error(bad: bytes) -> None:
    with pytest.raises(DECODE_ERRORS):
        reader(Delta)(bad)


def test_ordinary_values_are_written_as_compact_utf8() -> None:
    assert write({"a": ["é", 1.0, None]}) == '{"a":["é",1.0,null]}'.encode()


@pytest.mark.parametrize(
    ("escaped", "whole"),
    [
        (rb"\ud83d", rb"\ufffd"),
        (rb"\\ud83d", rb"\\ud83d"),
        (rb"\\\ud83d", rb"\\\ufffd"),
        (rb"\\ud83d\ude00", rb"\\ud83d\ufffd"),
        (rb"\ud83d\ude00\ude00", rb"\ud83d\ude00\ufffd"),
        (rb"\uD83D\ud83d\uDE00", rb"\ufffd\ud83d\uDE00"),
        (rb"\\" * 5000 + rb"\ud83d", rb"\\" * 5000 + rb"\ufffd"),
        (rb"\\" * 5000 + rb"\\ud83d", rb"\\" * 5000 + rb"\\ud83d"),
    ],
)
def test_half_a_pair_is_told_from_the_text_of_an_escape(escaped: bytes, whole: bytes) -> None:
    assert without_lone_surrogates(escaped) == whole


def test_millions_of_halves_take_neither_their_number_in_memory_nor_in_seconds() -> None:
    halves = rb"\u4e2d\ud83d" * (MOST_REPLACED + 5)
    tracemalloc.start()
    try:
        mended = without_lone_surrogates(halves)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert mended.count(rb"\ufffd") == MOST_REPLACED
    assert mended.endswith(rb"\u4e2d\ud83d" * 5)
    assert len(mended) == len(halves)
    assert peak < 4 * len(halves)


def test_what_is_undecoded_is_written_beside_half_a_pair() -> None:
    value = {"text": "\ud83d", "tools": [msgspec.Raw(b'[1, {"a": null}]')]}

    assert json.loads(write(value)) == {"text": "\ud83d", "tools": [[1, {"a": None}]]}
