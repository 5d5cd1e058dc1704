import asyncio
from typing import Any

import pytest

from codex_proapi.commons.runtime.process_metrics import CHECK_SECONDS, watch_lag


async def test_who_is_woken_late_tells_how_late() -> None:
    lags: list[Any] = []
    times = iter([0.0, CHECK_SECONDS + 0.25, 10.0, 10.0 + CHECK_SECONDS - 0.1, 20.0])

    async def sleep(seconds: Any) -> None:
        assert seconds == CHECK_SECONDS
        if len(lags) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await watch_lag(lags.append, sleep=sleep, clock=lambda: next(times))

    assert lags == [0.25, 0.0]
