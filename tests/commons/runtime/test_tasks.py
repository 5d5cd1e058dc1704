"""Background tasks are remembered, reported and ended."""

import asyncio
import contextlib

import pytest
from structlog.testing import capture_logs
from support.clock import Clock

from codex_proapi.commons.runtime.tasks import Tasks, finished


async def test_a_task_gives_its_result_and_is_forgotten() -> None:
    tasks = Tasks()

    async def work() -> int:
        return 7

    task = tasks.start(work(), name="seven")
    assert (len(tasks), repr(tasks)) == (1, "<Tasks 1 running>")
    assert await task == 7
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_a_failure_is_logged_and_raised_to_whoever_waits() -> None:
    tasks = Tasks()

    async def fail() -> None:
        raise ValueError("no")

    with capture_logs() as logs:
        with pytest.raises(ValueError, match="no"):
            await tasks.start(fail(), name="failing")
        await asyncio.sleep(0)

    assert logs == [
        {
            "event": "task.failed",
            "log_level": "error",
            "task": "failing",
            "error": "ValueError('no')",
        }
    ]


async def test_closing_cancels_what_runs_and_waits_for_its_end() -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("ended")

    async with Tasks() as tasks:
        tasks.start(forever(), name="forever")
        await asyncio.sleep(0)

    assert ended == ["ended"]


async def test_closing_with_patience_lets_work_finish() -> None:
    gate = asyncio.Event()
    done: list[str] = []

    async def work() -> None:
        await gate.wait()
        done.append("done")

    tasks = Tasks()
    tasks.start(work(), name="work")
    asyncio.get_running_loop().call_later(0.01, gate.set)
    await tasks.close(patience=5)

    assert done == ["done"]


async def test_a_task_that_lost_its_cancellation_is_cancelled_again() -> None:
    async def deaf_once() -> None:
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
                return
        await asyncio.Event().wait()

    tasks = Tasks()
    task = tasks.start(deaf_once(), name="deaf")
    await asyncio.sleep(0)
    await tasks.close()

    assert task.cancelled()


class Failing:
    """A loop that fails as often as it is told, then runs until it is cancelled."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.slept: list[float] = []
        self.steady = asyncio.Event()
        self.clock = Clock(0.0)
        self.tasks = Tasks(sleep=self.sleep, clock=self.clock)

    async def run(self) -> None:
        if self.left:
            self.left -= 1
            raise ValueError("odd")
        self.steady.set()
        await asyncio.Event().wait()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


async def test_a_loop_that_fails_is_counted_logged_and_begun_again() -> None:
    failing = Failing(7)
    with capture_logs() as logs:
        failing.tasks.keep("beat", failing.run)
        await failing.steady.wait()

    assert failing.slept == [1, 2, 4, 8, 16, 30, 30]
    assert failing.tasks.failures == {"beat": 7}
    assert [(each["event"], each["task"]) for each in logs] == [("task.failed", "beat")] * 7
    assert failing.tasks.down == ["beat"]
    failing.clock.now += 61
    assert failing.tasks.down == []
    await failing.tasks.close()
    assert len(failing.tasks) == 0


async def test_a_loop_that_fails_now_and_then_is_not_down_and_begins_again_at_once() -> None:
    failing = Failing(0)
    ends: asyncio.Queue[None] = asyncio.Queue()

    async def run() -> None:
        await ends.get()
        failing.clock.now += 100
        raise ValueError("odd")

    failing.tasks.keep("beat", run)
    for _ in range(5):
        ends.put_nowait(None)
    while failing.tasks.failures["beat"] < 5:
        await asyncio.sleep(0)

    assert failing.slept[:4] == [1, 1, 1, 1]
    assert failing.tasks.down == []
    await failing.tasks.close()


async def test_a_loop_that_returns_is_not_begun_again() -> None:
    tasks = Tasks()

    async def once() -> None:
        return

    await tasks.keep("welcome", once)

    assert (tasks.failures, tasks.down) == ({"welcome": 0}, [])


async def test_work_whose_effect_must_be_known_ends_though_its_caller_is_cancelled() -> None:
    gate, ended = asyncio.Event(), []

    async def work() -> int:
        await gate.wait()
        ended.append("ended")
        return 7

    caller = asyncio.ensure_future(finished(work()))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert ended == ["ended"]
    assert await finished(work()) == 7


async def test_a_second_cancellation_ends_the_wait_and_an_error_is_no_ones() -> None:
    gate = asyncio.Event()

    async def work() -> None:
        await gate.wait()
        raise ValueError("no")

    caller = asyncio.ensure_future(finished(work()))
    for _ in range(2):
        await asyncio.sleep(0)
        caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.set()
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="no"):
        await finished(work())
