"""Work on a request's body that may take long: in a thread, so that the event loop goes on.

One call into C holds the interpreter's lock however long it takes, so the work itself must be done
in steps; Python code is interrupted every few milliseconds (`sys.getswitchinterval`).

The threads are few, as they share the interpreter with the loop, and API keys take turns at them:
the large bodies of one key wait for each other, and another key's for none of theirs.
"""

import asyncio
import collections
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final, TypeVar

Result = TypeVar("Result")

VALUES_AT_ONCE: Final = 8_000
"""Values of a body up to which it is worked on without a thread.

Translating one was seen to take 1 to 3 µs (a message of a conversation 6, a tool 25), so this is
some 20 ms. Values are counted by commas and brackets, of which texts hold some, too.
"""

SMALL_BYTES: Final = VALUES_AT_ONCE * 3 // 2
"""Bytes up to which a body cannot have more: `[],` are two of these marks in three bytes.

What has more of them is no JSON, and refused before anything of it is translated.
"""
COUNTED_AT_ONCE: Final = 64 * 1024
"""Bytes of a body in which values are counted in one call."""
FEW: Final = 16
"""Occurrences in so many bytes up to which each is searched for."""

THREADS: Final = 3
"""Large bodies that are worked on at a time, each in a thread."""
THREADS_OF_KEY: Final = 2
"""Most of them of one key, whose small one so passes beside its giant."""


class FairTurns:
    """Turns at the threads, fair between keys: at most so many, and of one key at most fewer.

    A free turn goes to the waiting key that holds the fewest, of these to the one that waited
    longest since its last turn; among the requests of a key to the oldest.
    """

    def __init__(self, most: int = THREADS, most_of_key: int = THREADS_OF_KEY) -> None:
        self._free = most
        self._most_of_key = most_of_key
        self._held: collections.Counter[str] = collections.Counter()
        self._waiting: dict[str, collections.deque[asyncio.Future[None]]] = {}

    def __repr__(self) -> str:
        waiting = sum(map(len, self._waiting.values()))
        return f"<FairTurns {self._held.total()} held, {waiting} waited for>"

    @contextlib.asynccontextmanager
    async def of(self, key_id: str) -> AsyncGenerator[None, None]:
        """A turn of a key, waited for until there is one."""
        await self._take(key_id)
        try:
            yield
        finally:
            self._give_back(key_id)

    async def _take(self, key_id: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key_id, collections.deque()).append(turn)
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(key_id, turn)
            else:  # it was handed over in the same moment
                self._give_back(key_id)
            raise

    def _give_back(self, key_id: str) -> None:
        self._free += 1
        self._held[key_id] -= 1
        if not self._held[key_id]:
            del self._held[key_id]
        self._hand_out()

    def _hand_out(self) -> None:
        """Hand free turns to waiting keys; keys are kept in the order of their last turns."""
        while self._free:
            may = [key for key in self._waiting if self._held.get(key, 0) < self._most_of_key]
            if not may:
                return
            key_id = min(may, key=lambda key: self._held.get(key, 0))
            turn = self._waiting[key_id][0]
            self._forget(key_id, turn)
            if turn.cancelled():
                continue
            if key_id in self._waiting:
                self._waiting[key_id] = self._waiting.pop(key_id)
            self._free -= 1
            self._held[key_id] += 1
            turn.set_result(None)

    def _forget(self, key_id: str, turn: "asyncio.Future[None]") -> None:
        """Take a request out of the queue, and its key with the last one."""
        queue = self._waiting.get(key_id, collections.deque())
        if turn in queue:
            queue.remove(turn)
        if not queue:
            self._waiting.pop(key_id, None)


async def work_on(
    body: bytes | Sequence[bytes],
    work: Callable[[], Result],
    *,
    turn: Callable[[], contextlib.AbstractAsyncContextManager[None]],
) -> Result:
    """Return what `work` gives: at once for a body of few values, else in a thread.

    Args:
        body: the JSON that is worked on, in one or several parts.
        work: reads the body; must not touch what another thread may change.
        turn: gives a turn at a thread, waited for as it is entered; not asked for a body of few values.

    Raises:
        Exception: whatever `work` raises.
    """
    if isinstance(body, bytes):
        small = len(body) <= SMALL_BYTES or is_small(body)
    else:
        small = is_small(*body)
    if small:
        return work()
    async with turn():
        return await in_thread(work)


async def in_thread(work: Callable[[], Result]) -> Result:
    """Return what `work` gives, done in a thread; a caller that is cancelled waits for its end.

    A thread cannot be stopped. If its caller went on at once, the turn, and the body's share of the
    body budget, would be free while the work still needs them: clients that send a large body and
    disconnect could begin any number of threads.

    Raises:
        Exception: whatever `work` raises.
        CancelledError: the caller was cancelled, and the work has ended.
    """
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await _ended(working)
        raise


async def _ended(working: "asyncio.Future[Result]") -> None:
    """Wait for the end of work, however often the caller is cancelled meanwhile."""
    while not working.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([working])
    if not working.cancelled():
        working.exception()  # nobody is left to hear it


def is_small(*parts: bytes) -> bool:
    """Whether a body, in one or several parts, has so few values that no thread is needed."""
    size = sum(map(len, parts))
    if size <= SMALL_BYTES:
        return True
    if size > VALUES_AT_ONCE * 1024:
        return False  # counting alone would take long
    values = 0
    for part in parts:
        for start in range(0, len(part), COUNTED_AT_ONCE):
            values += _values_in(part, start)
            if values > VALUES_AT_ONCE:
                return False
    return True


def count_of(sign: bytes, body: bytes, start: int) -> int:
    """How often a byte occurs in the COUNTED_AT_ONCE bytes of a body from `start`.

    `bytes.count` looks at one byte after the other and took 0.4 ms for a MiB; `find` looks at many at
    a time and took 0.01 ms, but is called for each occurrence. Pictures and most texts have few.
    """
    few = _few_of(sign, body, start)
    return few if few < FEW else body.count(sign, start, start + COUNTED_AT_ONCE)


def _values_in(body: bytes, start: int) -> int:
    """Commas and opening brackets in the COUNTED_AT_ONCE bytes of a body from `start`.

    Where there are many, all of them are counted in one pass.
    """
    commas = _few_of(b",", body, start)
    if commas < FEW:
        return commas + count_of(b"{", body, start) + count_of(b"[", body, start)
    piece = body[start : start + COUNTED_AT_ONCE]
    return len(piece) - len(piece.translate(None, b",{["))


def _few_of(sign: bytes, body: bytes, start: int) -> int:
    """How often a byte occurs in the same bytes, but FEW at most."""
    end = start + COUNTED_AT_ONCE
    for found in range(FEW):
        at = body.find(sign, start, end)
        if at < 0:
            return found
        start = at + 1
    return FEW
