import asyncio
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from redis.exceptions import ResponseError
from support.clock import Clock
from support.exchanges import a_record
from support.gateways import PATIENCE_SECONDS

from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind
from codex_proapi.gateway.accounting import ledger as ledgers
from codex_proapi.gateway.accounting.ledger import Ledger
from codex_proapi.gateway.metrics.registry import Metrics


class Books:
    """Books that can be lost for a while."""

    def __init__(self) -> None:
        self.away = False
        self.written: list[Any] = []

    def _write(self, what: Any, entries: Any) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.written.append((what, entries))

    async def add(self, records: Any) -> None:
        self._write("add", [record.request_id for record in records])

    async def tie(self, fingerprints: Any) -> None:
        self._write("tie", dict(fingerprints))

    async def tie_tentatively(self, fingerprints: Any) -> None:
        self._write("promise", dict(fingerprints))

    async def mark_unreadable(self, digests: Any) -> None:
        self._write("disown", {key: sorted(items) for key, items in digests.items()})

    async def succeed(self, accounts: Any) -> None:
        self._write("succeed", list(accounts))

    async def tell(self, entries: Any) -> None:
        self._write("tell", [entry.event for entry in entries])


class Scene:
    def __init__(self) -> None:
        self.writer: Any = Books()
        self.slept: list[Any] = []
        self.metrics = Metrics(CollectorRegistry())
        self.clock = Clock()
        self.ledger = Ledger(
            self.writer,
            self.metrics,
            sleep=self.sleep,
            clock=self.clock,
        )

    async def sleep(self, seconds: Any) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def fill(self) -> None:
        self.ledger.settle(a_record(1))
        self.ledger.settle(a_record(2))
        self.ledger.tie("f1", "acc_a")
        self.ledger.mark_unreadable("f1", frozenset({"b"}))
        self.ledger.mark_unreadable("f1", frozenset({"a"}))
        self.ledger.succeed("acc_a", begun_at=2.0)
        self.ledger.succeed("acc_a", begun_at=1.0)
        self.ledger.tell(LogEntry(at=1.0, kind=LogKind.ACCOUNT, event="account.cooled"))

    @property
    def failures(self) -> Any:
        return self.metrics.redis_errors.labels("settle")._value.get()

    @property
    def lost(self) -> Any:
        return self.metrics.ledger_lost._value.get()


ALL = [
    ("tie", {"f1": "acc_a"}),
    ("add", ["req_1", "req_2"]),
    ("disown", {"f1": ["a", "b"]}),
    ("succeed", ["acc_a"]),
    ("tell", ["account.cooled"]),
]


async def test_everything_that_waits_is_written_together_ties_first() -> None:
    scene = Scene()
    scene.fill()
    assert len(scene.ledger) == 6

    assert await scene.ledger.flush()

    assert scene.writer.written == ALL
    assert len(scene.ledger) == 0


async def test_nothing_is_written_when_nothing_waits() -> None:
    scene = Scene()

    assert await scene.ledger.flush()

    assert scene.writer.written == []


async def test_while_redis_is_away_everything_is_kept_and_written_later_once() -> None:
    scene = Scene()
    scene.fill()
    scene.writer.away = True

    assert not await scene.ledger.flush()
    assert not await scene.ledger.flush()
    assert (len(scene.ledger), scene.failures, scene.lost) == (6, 2, 0)
    scene.writer.away = False

    assert await scene.ledger.flush()
    assert scene.writer.written == ALL


@pytest.mark.parametrize("part", ["tie", "mark_unreadable", "add", "succeed", "tell"])
async def test_each_part_that_fails_waits_on_while_those_before_it_are_written(part: Any) -> None:
    scene = Scene()
    scene.fill()

    async def fail(_: Any) -> None:
        raise StoreUnavailable("away")

    written = getattr(scene.writer, part)
    setattr(scene.writer, part, fail)
    assert not await scene.ledger.flush()
    setattr(scene.writer, part, written)

    assert await scene.ledger.flush()
    assert sorted(scene.writer.written) == sorted(ALL)


async def test_a_write_that_is_cancelled_loses_nothing() -> None:
    scene = Scene()
    scene.ledger.settle(a_record(1))

    async def hang(_: Any) -> None:
        await asyncio.Event().wait()

    scene.writer.add, add = hang, scene.writer.add
    task = asyncio.ensure_future(scene.ledger.flush())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    scene.writer.add = add

    assert await scene.ledger.flush()
    assert scene.writer.written == [("add", ["req_1"])]


async def test_large_heaps_are_written_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "BATCH", 2)
    scene = Scene()
    for number in range(5):
        scene.ledger.settle(a_record(number))

    await scene.ledger.flush()

    assert [len(ids) for _, ids in scene.writer.written] == [2, 2, 1]


async def test_it_is_bounded_and_what_is_lost_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "MOST", 3)
    scene = Scene()
    for number in range(5):
        scene.ledger.settle(a_record(number))

    await scene.ledger.flush()

    assert scene.writer.written == [("add", ["req_2", "req_3", "req_4"])]
    assert (scene.lost, scene.failures) == (2, 0)


async def test_it_waits_a_moment_for_more_and_a_second_after_a_failure() -> None:
    scene = Scene()
    running = asyncio.ensure_future(scene.ledger.run())
    await asyncio.sleep(0)
    scene.writer.away = True
    scene.ledger.settle(a_record(1))
    while len(scene.slept) < 3:
        await asyncio.sleep(0)
    scene.writer.away = False
    while len(scene.ledger):
        await asyncio.sleep(0)
    running.cancel()

    assert scene.slept[:3] == [ledgers.FLUSH_SECONDS, ledgers.RETRY_SECONDS, ledgers.FLUSH_SECONDS]
    assert scene.writer.written == [("add", ["req_1"])]


async def test_closing_writes_the_rest_and_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledgers, "CLOSE_SECONDS", 0.05)
    scene = Scene()
    scene.ledger.settle(a_record(1))
    await scene.ledger.close()
    assert scene.writer.written == [("add", ["req_1"])]

    scene.writer.away = True
    scene.ledger.settle(a_record(2))
    await scene.ledger.close()
    assert repr(scene.ledger) == "<Ledger with 1 waiting>"
    assert scene.lost == 1


async def test_a_tentative_tie_is_written_at_once_and_the_rest_is_not() -> None:
    scene = Scene()
    work = asyncio.ensure_future(scene.ledger.run_ties())
    scene.ledger.succeed("acc_a", begun_at=1.0)
    scene.ledger.tie("f0", "acc_b")
    scene.ledger.settle(a_record(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert scene.writer.written == []

    scene.ledger.tie_tentatively("f1", "acc_a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert scene.writer.written == [("promise", {"f1": "acc_a"}), ("tie", {"f0": "acc_b"})]
    assert scene.slept == []
    work.cancel()


async def test_a_settlement_that_corrects_a_charge_is_written_at_once_with_those_that_wait() -> (
    None
):
    scene = Scene()
    work = asyncio.ensure_future(scene.ledger.run_settlements())
    scene.ledger.tie("f1", "acc_b")
    scene.ledger.settle(a_record(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert scene.writer.written == []

    scene.ledger.settle(msgspec.structs.replace(a_record(2), drawn_at=1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert scene.writer.written == [("add", ["req_1", "req_2"])]
    assert scene.slept == []
    work.cancel()


async def test_a_promise_that_was_overtaken_by_its_tie_is_not_written() -> None:
    scene = Scene()
    scene.ledger.tie_tentatively("f1", "acc_a")
    scene.ledger.tie("f1", "acc_b")

    assert await scene.ledger.flush()

    assert scene.writer.written == [("tie", {"f1": "acc_b"})]


async def test_a_tie_that_cannot_be_written_at_once_waits_for_the_next_flush() -> None:
    scene = Scene()
    scene.writer.away = True
    work = asyncio.ensure_future(scene.ledger.run_ties())
    scene.ledger.tie_tentatively("f1", "acc_b")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (len(scene.ledger), scene.failures) == (1, 1)
    scene.writer.away = False

    assert await scene.ledger.flush()

    assert scene.writer.written == [("promise", {"f1": "acc_b"})]
    work.cancel()


async def test_a_settlement_whose_write_at_once_fails_after_a_flush_is_written_by_the_next() -> (
    None
):
    scene = Scene()
    flushed, written, add = asyncio.Event(), asyncio.Event(), scene.writer.add

    async def fail(_: Any) -> None:
        scene.writer.add = succeed
        await flushed.wait()
        raise StoreUnavailable("away")

    async def succeed(records: Any) -> None:
        await add(records)
        written.set()

    async def tell(_: Any) -> None:
        flushed.set()

    scene.writer.add, scene.writer.tell = fail, tell
    scene.ledger.settle(msgspec.structs.replace(a_record(1), drawn_at=1))
    urgent = asyncio.ensure_future(scene.ledger.run_settlements())
    while scene.writer.add is fail:
        await asyncio.sleep(0)
    scene.ledger.tell(LogEntry(at=1.0, kind=LogKind.ACCOUNT, event="account.cooled"))
    work = asyncio.ensure_future(scene.ledger.run())

    async with asyncio.timeout(PATIENCE_SECONDS):
        await written.wait()

    assert scene.writer.written == [("add", ["req_1"])]
    assert scene.failures == 1
    urgent.cancel()
    work.cancel()


async def test_a_redis_that_is_away_a_full_ledger_and_the_end_of_both_are_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ledgers, "MOST", 2)
    scene = Scene()
    scene.writer.away = True
    for number in range(5):
        scene.ledger.settle(a_record(number))
        await scene.ledger.flush()
    scene.writer.away = False
    for _ in range(2):
        await scene.ledger.flush()

    said = capsys.readouterr().out
    events = ("ledger.kept", "ledger.overflowed", "ledger.written")
    assert [said.count(event) for event in events] == [1, 1, 1]
    assert scene.lost == 3


async def test_when_redis_returns_what_was_written_last_is_written_once_more() -> None:
    scene = Scene()
    for number, seconds in enumerate((ledgers.RECENT_SECONDS + 1, 1, 0)):
        scene.ledger.settle(a_record(number))
        await scene.ledger.flush()
        scene.clock.pass_(seconds)
    scene.writer.written.clear()

    scene.ledger.again()
    await scene.ledger.flush()
    assert scene.writer.written == [("add", ["req_1", "req_2"])]

    scene.clock.pass_(ledgers.KNOWN_SECONDS + 1)
    scene.writer.written.clear()
    scene.ledger.again()
    await scene.ledger.flush()
    assert scene.writer.written == [], "its id may be forgotten: it would be counted twice"


def _refusal() -> StoreUnavailable:
    error = StoreUnavailable("Redis: WRONGTYPE")
    error.__cause__ = ResponseError("WRONGTYPE Operation against a key")
    return error


@pytest.mark.parametrize("part", ["tie", "mark_unreadable", "succeed", "tell"])
async def test_what_redis_refuses_is_dropped_counted_and_stops_nothing_behind_it(part: Any) -> None:
    scene = Scene()
    scene.fill()

    async def refuse(_: Any) -> None:
        raise _refusal()

    setattr(scene.writer, part, refuse)

    assert await scene.ledger.flush()

    assert len(scene.ledger) == 0
    assert scene.lost == 1
    assert len(scene.writer.written) == len(ALL) - 1


async def test_of_settlements_that_redis_refuses_together_only_the_poisoned_one_is_lost() -> None:
    scene = Scene()
    add = scene.writer.add

    async def refuse(records: Any) -> None:
        if "req_1" in [record.request_id for record in records]:
            raise _refusal()
        await add(records)

    scene.writer.add = refuse
    scene.fill()

    assert await scene.ledger.flush()

    assert (scene.lost, len(scene.ledger)) == (1, 0)
    assert ("add", ["req_2"]) in scene.writer.written
