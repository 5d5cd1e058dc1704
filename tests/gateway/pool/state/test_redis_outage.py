"""Redis is away: what is remembered, what is not, and who finds out that it is back."""

import asyncio
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from redis.exceptions import ConnectionError as ConnectionBroken
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as TimedOut
from support.clock import Clock

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.limits.limit_charge import charge_for
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.state import redis_outage as graces
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.pool.state.redis_outage import PROBE_SECONDS, UNSEEN_SECONDS, RedisOutage
from codex_proapi.gateway.pool.state.snapshot import PoolSnapshot, SnapshotRequest

IDS = ["acc_a", "acc_b", "acc_c"]
DRAW = charge_for("key_1", Limits(rpm=1), request_id="req_1", version=1, tokens=1)


class Snapshots:
    """Snapshots as a test wants them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.error: Exception | None = None
        self.cooldowns: dict[str, Cooldown] = {}
        self.affine: str | None = None
        self.tentative = False
        self.turns = 0
        self.looks = 0

    async def read(self, request: SnapshotRequest) -> PoolSnapshot:
        self._fail()
        self.turns += 1
        return PoolSnapshot(
            now=self.clock(),
            accounts_version=1,
            keys_version=1,
            cursor=self.turns,
            affine=self.affine if request.affinity else None,
            tentative=self.tentative,
            cooldowns=self.cooldowns,
        )

    async def versions(self) -> tuple[int, int]:
        self._fail()
        self.looks += 1
        return 1, 5

    def _fail(self) -> None:
        if self.error is not None:
            raise StoreUnavailable("away") from self.error


class Remembered:
    def __init__(self, version: int) -> None:
        self.version = version
        self.forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1

    def see(self, version: int) -> None:
        self.version = version


class Scene:
    def __init__(self, seconds: float = 30.0) -> None:
        self.clock = Clock()
        self.snapshots = cast("Any", Snapshots(self.clock))
        self.accounts, self.keys = Remembered(3), Remembered(4)
        self.gate = RedisCircuitBreaker(self.clock, grace=seconds)
        self.metrics = Metrics(CollectorRegistry())
        self.grace = RedisOutage(
            self.snapshots,
            accounts=self.accounts,
            keys=self.keys,
            redis_breaker=self.gate,
            metrics=self.metrics,
            clock=SharedClock(self.clock),
            returned=self.count_return,
        )
        self.returns = 0

    def count_return(self) -> None:
        self.returns += 1

    def lose(self) -> None:
        self.snapshots.error = ConnectionBroken("gone")
        self.clock.pass_(0.001)

    async def check(self, ids: Any = IDS, **fields: Any) -> PoolSnapshot:
        return await self.grace.read(
            SnapshotRequest(**{"account_ids": ids, "model": "m", **fields})
        )

    @property
    def graced(self) -> float:
        return float(self.metrics.graced._value.get())


async def test_while_redis_answers_its_word_is_passed_on() -> None:
    scene = Scene()

    snapshot = await scene.check()

    assert (snapshot.cursor, snapshot.keys_version, scene.graced) == (1, 1, 0)
    assert (
        repr(scene.grace)
        == "<RedisOutage behind <RedisCircuitBreaker open>, 0 conversations remembered>"
    )


async def test_without_a_grace_everybody_is_told_at_once_and_nobody_asks_again() -> None:
    scene = Scene(seconds=0)
    await scene.check()
    scene.lose()
    with pytest.raises(StoreUnavailable):
        await scene.check()
    scene.snapshots.error = None

    with pytest.raises(StoreUnavailable):
        await scene.check()

    assert (scene.gate.shut, scene.gate.in_grace(), scene.snapshots.turns) == (True, False, 1)


async def test_in_grace_turns_go_on_from_the_last_one_by_the_versions_that_are_remembered() -> None:
    scene = Scene()
    await scene.check()
    scene.lose()

    surveys = [await scene.check() for _ in range(3)]

    assert [snapshot.cursor for snapshot in surveys] == [2, 3, 4]
    assert {(s.accounts_version, s.keys_version, s.affine) for s in surveys} == {(3, 4, None)}
    assert (scene.graced, scene.gate.in_grace()) == (3, True)


async def test_in_grace_cooldowns_hold_until_they_end_each_model_has_its_own() -> None:
    scene = Scene()
    now = scene.clock()
    long = Cooldown(until=now + 20, reason=CooldownReason.QUOTA, since=now)
    short = Cooldown(until=now + 5, reason=CooldownReason.RATE, since=now)
    scene.snapshots.cooldowns = {"acc_a": long}
    await scene.check(model="m")
    scene.snapshots.cooldowns = {"acc_b": short, "acc_a": long}
    await scene.check(model="n")
    scene.lose()

    assert (await scene.check(model="m")).cooldowns == {"acc_a": long}
    assert set((await scene.check(model="n")).cooldowns) == {"acc_a", "acc_b"}
    scene.clock.pass_(6)
    assert set((await scene.check(model="unseen")).cooldowns) == {"acc_a"}


async def test_in_grace_a_conversation_stays_with_the_account_it_had_if_that_is_free() -> None:
    scene = Scene()
    scene.snapshots.affine = "acc_b"
    await scene.check(affinity="f1")
    scene.snapshots.tentative = True
    await scene.check(affinity="f2")
    scene.lose()

    known = await scene.check(affinity="f1")
    tried = await scene.check(["acc_a"], affinity="f1")
    tentative = await scene.check(affinity="f2")

    assert (known.affine, known.cursor) == ("acc_b", None)
    assert (tried.affine, tried.cursor) == (None, 3)
    assert (tentative.affine, tentative.cursor) == (None, 4)


async def test_the_memory_of_conversations_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graces, "MOST_TIES", 2)
    scene = Scene()
    scene.snapshots.affine = "acc_b"
    for name in ("f1", "f2", "f1", "f3"):
        await scene.check(affinity=name)
    scene.lose()

    kept = [(await scene.check(affinity=name)).affine for name in ("f1", "f2", "f3")]

    assert kept == ["acc_b", None, "acc_b"]


async def test_a_key_with_limits_is_refused_for_they_would_not_hold() -> None:
    scene = Scene()
    await scene.check()
    scene.lose()

    with pytest.raises(StoreUnavailable):
        await scene.check(charge=DRAW)

    assert scene.graced == 0


async def test_a_gateway_that_never_saw_redis_has_nothing_to_remember() -> None:
    scene = Scene()
    scene.lose()

    with pytest.raises(StoreUnavailable):
        await scene.check()


async def test_a_grace_is_counted_from_the_last_time_redis_was_seen_and_ends_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = Scene()
    await scene.check()
    scene.clock.pass_(20)
    scene.lose()
    await scene.check()
    scene.clock.pass_(11)

    for _ in range(3):
        await scene.grace.check()
        with pytest.raises(StoreUnavailable):
            await scene.check()

    assert capsys.readouterr().out.count("grace.ended") == 1


async def test_one_probe_finds_it_back_and_all_that_is_remembered_is_read_anew(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scene = Scene()
    await scene.check()
    scene.lose()
    await scene.check()
    await scene.grace.check()
    assert scene.gate.shut
    scene.snapshots.error = None

    await scene.grace.check()

    assert not scene.gate.shut
    assert (scene.accounts.forgotten, scene.keys.forgotten, scene.returns) == (1, 1, 1)
    assert (await scene.check()).keys_version == 1
    said = capsys.readouterr().out
    assert (said.count("redis.lost"), said.count("redis.returned")) == (1, 1)


async def test_a_command_that_is_refused_alone_shuts_nothing() -> None:
    scene = Scene()
    await scene.check()
    scene.snapshots.error = ResponseError("WRONGTYPE of one key")
    with pytest.raises(StoreUnavailable):
        await scene.check()
    assert not scene.gate.shut

    scene.snapshots.error = ResponseError("OOM command not allowed")
    assert (await scene.check()).cursor == 2
    assert scene.gate.shut


async def test_a_look_that_was_overtaken_by_a_better_one_says_nothing() -> None:
    scene = Scene()
    asked = asyncio.Event()

    async def late(_: Any) -> PoolSnapshot:
        await asked.wait()
        raise StoreUnavailable("late") from ConnectionBroken()

    right, scene.snapshots.read = scene.snapshots.read, late
    waiting = asyncio.ensure_future(scene.check())
    await asyncio.sleep(0)
    scene.clock.pass_(1)
    scene.snapshots.read = right
    await scene.check()
    asked.set()

    with pytest.raises(StoreUnavailable):
        await waiting
    assert not scene.gate.shut


async def test_where_nobody_asks_redis_is_looked_for_and_the_version_of_keys_is_seen() -> None:
    scene = Scene()
    await scene.check()
    await scene.grace.check()
    assert scene.snapshots.looks == 0
    scene.clock.pass_(UNSEEN_SECONDS + 0.1)
    await scene.grace.check()
    assert (scene.snapshots.looks, scene.keys.version) == (1, 5)
    scene.clock.pass_(UNSEEN_SECONDS + 0.1)
    scene.lose()
    await scene.grace.check()

    assert scene.gate.shut


async def test_it_looks_again_and_again_until_it_is_closed() -> None:
    scene = Scene()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await scene.grace.run(sleep)
    assert slept == [PROBE_SECONDS] * 3
    scene.gate.shut = True

    scene.grace.close()

    assert not scene.gate.shut


async def test_a_single_time_out_is_tried_once_more_and_shuts_nothing() -> None:
    scene = Scene()
    await scene.check()
    scene.clock.pass_(1)
    right = scene.snapshots.read

    async def late(_: Any) -> PoolSnapshot:
        scene.snapshots.read = right
        raise StoreUnavailable("late") from TimedOut("no reply in time")

    scene.snapshots.read = late

    assert (await scene.check()).cursor == 2
    assert not scene.gate.shut
