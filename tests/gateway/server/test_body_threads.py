"""Long work on a body leaves the event loop to others."""

import asyncio
import threading
from functools import partial
from typing import Any

import pytest

from codex_proapi.gateway.server.body_threads import (
    COUNTED_AT_ONCE,
    SMALL_BYTES,
    VALUES_AT_ONCE,
    FairTurns,
    count_of,
    is_small,
    work_on,
)

PATIENCE_SECONDS = 60.0
MANY = b"[" + b"0," * VALUES_AT_ONCE + b"0]"
FEW = b'{"input":"' + b"word " * VALUES_AT_ONCE + b'"}'


async def test_the_loop_turns_while_a_body_of_many_values_is_worked_on() -> None:
    turned = threading.Event()
    worked = asyncio.ensure_future(
        work_on(MANY, lambda: turned.wait(PATIENCE_SECONDS), turn=lambda: asyncio.Semaphore(1))
    )
    for _ in range(10):
        await asyncio.sleep(0)

    turned.set()

    assert await worked, "the work held the loop"


async def test_a_body_of_few_values_needs_no_thread() -> None:
    taken = asyncio.Semaphore(0)

    assert await work_on(FEW, threading.get_ident, turn=lambda: taken) == threading.get_ident()


async def test_only_so_many_bodies_are_worked_on_at_a_time() -> None:
    go_on = threading.Event()
    begun: list[int] = []

    def work(number: int) -> bool:
        begun.append(number)
        return go_on.wait(PATIENCE_SECONDS)

    turns = asyncio.Semaphore(1)
    first = asyncio.ensure_future(work_on(MANY, partial(work, 1), turn=lambda: turns))
    second = asyncio.ensure_future(work_on(MANY, partial(work, 2), turn=lambda: turns))
    while not begun:
        await asyncio.sleep(0.001)

    assert (begun, turns.locked()) == ([1], True)
    go_on.set()
    assert await first
    assert await second
    assert begun == [1, 2]


async def test_a_caller_that_is_cancelled_keeps_its_turn_until_the_thread_has_ended() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(PATIENCE_SECONDS)
        raise ValueError("nobody hears this")

    turns = asyncio.Semaphore(1)
    working = asyncio.ensure_future(work_on(MANY, work, turn=lambda: turns))
    while not begun.is_set():
        await asyncio.sleep(0.001)

    for _ in range(3):
        working.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
    assert (working.done(), turns.locked()) == (False, True)

    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert not turns.locked()


async def test_who_is_cancelled_before_a_turn_begins_no_work() -> None:
    begun: list[int] = []
    turns = asyncio.Semaphore(0)
    waiting = asyncio.ensure_future(work_on(MANY, lambda: begun.append(1), turn=lambda: turns))
    await asyncio.sleep(0)

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert begun == []


async def test_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise ValueError("no")

    for body in (MANY, FEW):
        with pytest.raises(ValueError, match="no"):
            await work_on(body, fail, turn=lambda: asyncio.Semaphore(1))


@pytest.mark.parametrize(
    ("body", "small"),
    [
        (b"", True),
        (FEW, True),
        (MANY, False),
        (b"[" + b"[]" * VALUES_AT_ONCE + b"]", False),
        (b" " * (VALUES_AT_ONCE * 1024 + 1), False),
    ],
)
def test_bodies_are_told_apart_by_their_values(body: Any, small: bool) -> None:
    assert is_small(body) is small


@pytest.mark.parametrize("every", [3, 100, 5_000, 40_000])
@pytest.mark.parametrize("size", [0, 1, COUNTED_AT_ONCE, 3 * COUNTED_AT_ONCE + 7])
def test_bytes_are_counted_in_slices_as_in_one_piece(every: int, size: int) -> None:
    body = (b"," + b"x" * (every - 1)) * (size // every + 1)
    body = body[:size]

    slices = range(0, size, COUNTED_AT_ONCE)
    assert sum(count_of(b",", body, start) for start in slices) == body.count(b",")


class Turns:
    """Requests of keys, each in its turn until it is let go."""

    def __init__(self) -> None:
        self.turns = FairTurns(most=3, most_of_key=2)
        self.begun: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def come(self, *names: str) -> None:
        """One request of a key after the other, named by the key's letter and a number."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.ensure_future(self._work(name))
            await self.settle()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def _work(self, name: str) -> None:
        async with self.turns.of(name[0]):
            self.begun.append(name)
            await self.ends[name].wait()


async def test_one_keys_many_large_bodies_keep_no_other_key_waiting() -> None:
    turns = Turns()
    await turns.come("a1", "a2", "a3", "a4", "b1")
    assert turns.begun == ["a1", "a2", "b1"], "the third turn is no turn of the first key"

    await turns.come("c1", "b2")
    await turns.end("a1")
    assert turns.begun[3:] == ["c1"], "of those that hold none, and not the first that came"
    await turns.end("c1")
    assert turns.begun[4:] == ["a3"], "it has waited longest since its last turn"
    await turns.end("b1")
    assert turns.begun[5:] == ["b2"]
    for name in ("a2", "a3", "b2"):
        await turns.end(name)
    assert turns.begun[6:] == ["a4"]
    await turns.end("a4")
    assert repr(turns.turns) == "<FairTurns 0 held, 0 waited for>"


async def test_who_is_cancelled_while_it_waits_or_as_its_turn_comes_takes_none() -> None:
    turns = Turns()
    await turns.come("a1", "a2", "a3", "a4", "a5")

    turns.tasks["a3"].cancel()
    await turns.settle()
    turns.ends["a1"].set()
    while turns.turns._waiting["a"][0].done() is False and not turns.tasks["a1"].done():
        await asyncio.sleep(0)
    turns.tasks["a4"].cancel()  # its turn was handed over, and it has not begun
    await turns.settle()

    assert turns.begun == ["a1", "a2", "a5"]
    for name in ("a2", "a5"):
        await turns.end(name)
    assert repr(turns.turns) == "<FairTurns 0 held, 0 waited for>"


@pytest.mark.parametrize("sign", [b",", b"{", b"["])
@pytest.mark.parametrize("every", [3, 4_500, 70_000])
def test_values_are_counted_whatever_stands_between_them(sign: bytes, every: int) -> None:
    most = (sign + b"x" * (every - 1)) * VALUES_AT_ONCE
    most = most[: VALUES_AT_ONCE * 1000]

    few = VALUES_AT_ONCE - most.count(sign)
    assert is_small(b"," * few + most)
    assert not is_small(b"[" + b"," * few + most)


def test_no_short_json_has_too_many_values() -> None:
    body = b"[" + b"[]," * (SMALL_BYTES // 3 - 1) + b"0]"

    assert SMALL_BYTES - 3 <= len(body) <= SMALL_BYTES
    assert sum(map(body.count, (b",", b"{", b"["))) <= VALUES_AT_ONCE
