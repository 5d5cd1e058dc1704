"""Measures the event loop's lag: how late a sleeping task is woken.

A stall that lies wholly between two checks is not seen, so the figures show what happens often, not
each stall.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

CHECK_SECONDS = 0.5
"""Seconds between two checks."""


async def watch_lag(
    saw: Callable[[float], None],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Call `saw` with the lag in seconds at each check, until cancelled."""
    while True:
        asked = clock()
        await sleep(CHECK_SECONDS)
        saw(max(0.0, clock() - asked - CHECK_SECONDS))
