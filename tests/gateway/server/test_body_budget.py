import gzip
from typing import Any

import pytest
from support.asgi import Received

from codex_proapi.gateway.errors import Overloaded, TooLarge
from codex_proapi.gateway.server.body_budget import (
    _STRINGS,
    MOST_CONTAINERS,
    BodyBudget,
    BodyHold,
    _counts,
    _pieces,
    check_values,
)
from codex_proapi.gateway.server.body_threads import COUNTED_AT_ONCE
from codex_proapi.gateway.server.decompression import RATIO_BYTES, decompress
from codex_proapi.gateway.server.read_body import read_body

MIB = 1 << 20


async def test_bodies_are_held_until_they_are_released_and_no_more_than_fit() -> None:
    budget = BodyBudget(1000)
    one, other = BodyHold(budget), BodyHold(budget)

    await read_body(Received(b"x" * 300, b"x" * 300), {}, hold=one)
    with pytest.raises(Overloaded) as full:
        await read_body(Received(b"x" * 300, b"x" * 300), {}, hold=other)

    assert (full.value.status, full.value.retry_after) == (503, 1)
    other.release()
    assert budget.held == 600
    one.release()
    one.release()
    assert budget.held == 0


async def test_a_thread_that_still_unpacks_for_a_request_that_has_ended_holds_nothing() -> None:
    budget = BodyBudget(1000)
    hold = BodyHold(budget)
    hold.take(300)

    hold.release()
    with pytest.raises(Overloaded):
        hold.take(300)

    assert (budget.held, hold.size) == (0, 0)


async def test_a_packed_body_is_held_at_its_unpacked_size() -> None:
    budget = BodyBudget(3 * MIB)
    hold = BodyHold(budget)
    packed = gzip.compress(b"x" * MIB)

    body = await read_body(Received(packed), {b"content-encoding": b"gzip"}, hold=hold)

    assert budget.held == hold.size == len(body) == MIB


async def test_unpacking_stops_where_the_budget_ends() -> None:
    budget = BodyBudget(MIB // 2)
    hold = BodyHold(budget)

    with pytest.raises(Overloaded):
        await decompress(gzip.compress(b"x" * MIB), "gzip", 64 * MIB, hold)

    assert budget.held <= MIB // 2
    hold.release()
    assert budget.held == 0


@pytest.mark.parametrize("packing", ["gzip", "gzip, gzip"])
async def test_a_body_that_unpacks_to_many_times_its_size_is_refused(packing: str) -> None:
    body = b"x" * (8 * MIB)
    for _ in packing.split():
        body = gzip.compress(body)

    with pytest.raises(TooLarge, match="50 times"):
        await decompress(body, packing, 64 * MIB)


async def test_small_bodies_may_unpack_to_any_ratio() -> None:
    text = b"x" * RATIO_BYTES
    assert RATIO_BYTES > 3 * MIB  # a log in a tool's result that repeats itself

    assert await decompress(gzip.compress(text), "gzip", 64 * MIB) == text


@pytest.mark.parametrize(
    "body",
    [
        b'{"metadata":{"a":[' + b"{}," * 300_000 + b"{}]}}",
        b'{"input":' + b"[" * 200_001,
        b'{"input":[' + b'"ab",' * 1_100_000 + b'""]}',
        b'{"input":[' + b"null," * 2_000_000 + b"1]}",
        b"{" * (9 * MIB),
    ],
)
def test_a_body_that_is_far_larger_decoded_is_refused(body: Any) -> None:
    with pytest.raises(TooLarge) as refused:
        check_values(body)

    assert (refused.value.status, refused.value.code) == (413, "request_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b'{"input":"' + b"{[,]} " * 500_000 + b'"}',
        b'{"input":"' + rb"{\"a\": [1, 2]}, " * 250_000 + b'"}',
        b'{"input":[' + b"{}," * 199_000 + b"{}]}",
    ],
)
def test_texts_may_hold_as_many_braces_and_commas_as_they_like(body: Any) -> None:
    check_values(body)


@pytest.mark.parametrize("sign", [b"[", b"{", b","])
def test_a_body_of_fewer_bytes_than_it_may_have_values_is_never_refused(sign: bytes) -> None:
    check_values(sign * MOST_CONTAINERS)


@pytest.mark.parametrize("letters", [rb"\"", rb"\\\"", b"\\"])
def test_a_string_that_does_not_end_is_looked_through_once(letters: bytes) -> None:
    # Tried anew at each quote it would take hours, and everybody else would wait.
    check_values(b'{"input":"' + b"{" * 300_000 + letters * 1_000_000)


@pytest.mark.parametrize("string", [b'"a\\"[,"', b'"' + b"{," * 30_000 + b'"', b'""'])
def test_a_body_is_counted_in_pieces_that_cut_no_string(string: bytes) -> None:
    item = b'{"input":' + string + b"},"
    many = b"[" + item * (5 * MIB // len(item) + 1) + b"{}]"

    pieces = list(_pieces(many))

    assert b"".join(pieces) == many
    counts = [_counts(_STRINGS.sub(b"", piece)) for piece in pieces]
    whole = _counts(_STRINGS.sub(b"", many))
    assert tuple(map(sum, zip(*counts, strict=True))) == whole


@pytest.mark.parametrize("before", [0, 1, COUNTED_AT_ONCE - 9, 2 * COUNTED_AT_ONCE])
@pytest.mark.parametrize("times", [1, 7, 10_000])
def test_brackets_and_commas_are_counted_the_same_in_slices(before: int, times: int) -> None:
    body = b'{"a":[1,[2,{"b":[]}]],"c":","}'

    assert _counts(b" " * before + body * times) == (5 * times, 9 * times)
