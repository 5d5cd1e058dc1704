"""Work on a request's body that may take long: in a thread, so that the event loop goes on.

One call into C holds the interpreter's lock however long it takes, so the work itself must be done
in steps; Python code is interrupted every few milliseconds (`sys.getswitchinterval`).
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

Result = TypeVar("Result")

VALUES_AT_ONCE: Final = 8_000
"""Values of a body up to which it is worked on without a thread.

Translating one was seen to take 1 to 3 µs (a message of a conversation 6, a tool 25), so this is
some 20 ms. Values are counted by commas and brackets, of which texts hold some, too.
"""


async def work_on(
    body: bytes | Sequence[bytes], work: Callable[[], Result], *, turns: asyncio.Semaphore
) -> Result:
    """Return what `work` gives: at once for a body of few values, else in a thread.

    Args:
        body: the JSON that is worked on, in one or several parts.
        work: reads the body; must not touch what another thread may change.
        turns: bounds how many threads work at a time, for they share the interpreter with the loop.

    Raises:
        Exception: whatever `work` raises.
    """
    if is_small(*([body] if isinstance(body, bytes) else body)):
        return work()
    async with turns:
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
    if size <= VALUES_AT_ONCE:
        return True
    if size > VALUES_AT_ONCE * 1024:
        return False  # counting alone would take long
    return sum(part.count(sign) for part in parts for sign in (b",", b"{", b"[")) <= VALUES_AT_ONCE
