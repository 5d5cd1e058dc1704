"""Work on a request's body that may take long: in a thread, so that the event loop goes on.

One call into C holds the interpreter's lock however long it takes, so the work itself must be done
in steps; Python code is interrupted every few milliseconds (`sys.getswitchinterval`).
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

Result = TypeVar("Result")

VALUES_AT_ONCE: Final = 8_000
"""Values of a body up to which it is worked on without a thread.

Translating one was seen to take 1 to 3 µs (a message of a conversation 6, a tool 25), so this is
some 20 ms. Values are counted by commas and brackets, of which texts hold some, too.
"""


async def work_on(body: bytes, work: Callable[[], Result], *, turns: asyncio.Semaphore) -> Result:
    """Return what `work` gives: at once for a body of few values, else in a thread.

    Args:
        body: the JSON that is worked on.
        work: reads the body; must not touch what another thread may change.
        turns: bounds how many threads work at a time, for they share the interpreter with the loop.

    Raises:
        Exception: whatever `work` raises.
    """
    if is_small(body):
        return work()
    async with turns:
        return await asyncio.to_thread(work)


def is_small(body: bytes) -> bool:
    """Whether a body has so few values that no thread is needed."""
    if len(body) <= VALUES_AT_ONCE:
        return True
    if len(body) > VALUES_AT_ONCE * 1024:
        return False  # counting alone would take long
    return sum(map(body.count, (b",", b"{", b"["))) <= VALUES_AT_ONCE
