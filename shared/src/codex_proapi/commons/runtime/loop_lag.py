"""How late the event loop is: whatever holds it up holds up every stream of the process.

A sleeper notices twice a second how much later than asked it was woken. A stall that lies wholly
between two looks goes unseen, so this tells of what happens often, not of each stall.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

CHECK_SECONDS = 0.5
"""Time between two looks."""


async def watch_lag(
    saw: Callable[[float], None],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Tell the lag in seconds at each look, until cancelled."""
    while True:
        asked = clock()
        await sleep(CHECK_SECONDS)
        saw(max(0.0, clock() - asked - CHECK_SECONDS))
