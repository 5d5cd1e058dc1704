import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionBroken
from redis.exceptions import ReadOnlyError, RedisClusterException, ResponseError
from redis.exceptions import TimeoutError as TimedOut
from support.clock import Clock
from support.redis_sets import RedisCluster

from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker, is_away
from codex_proapi.commons.redis.clients import ask, connect, mapped
from codex_proapi.commons.runtime.errors import StoreUnavailable


async def test_before_a_gate_that_is_shut_nobody_waits_and_behind_an_open_one_all_goes_on(
    redis_url: str, redis_client: Redis
) -> None:
    gate = RedisCircuitBreaker()
    assert repr(gate) == "<RedisCircuitBreaker open>"
    client = connect(redis_url, breaker=gate)
    await redis_client.set("x", "1")
    gate.fail(StoreUnavailable("gone"), since=gate.now())
    with pytest.raises(StoreUnavailable):
        await ask(lambda: client.get("x"))
    assert repr(gate) == "<RedisCircuitBreaker shut>"
    assert await redis_client.get("x") == "1"

    gate.open()

    assert await ask(lambda: client.get("x")) == "1"
    await client.aclose()


def test_its_state_tells_the_grace_period_apart() -> None:
    clock = Clock()
    breaker = RedisCircuitBreaker(clock, grace=30)
    breaker.see()
    states = [breaker.state]

    clock.pass_(1)
    breaker.fail(StoreUnavailable("gone"), since=clock())
    states.append(breaker.state)
    clock.pass_(30)
    states.append(breaker.state)
    breaker.open()
    states.append(breaker.state)

    assert states == ["closed", "grace", "open", "closed"]


async def test_a_cluster_has_a_gate_too() -> None:
    gate = RedisCircuitBreaker()
    with RedisCluster() as cluster:
        client = connect(cluster.url, breaker=gate)
        assert await client.set("x", "1")
        gate.shut = True
        with pytest.raises(StoreUnavailable):
            await ask(lambda: client.get("x"))
        gate.shut = False
        assert await client.get("x") == "1"
        await client.aclose()


def test_it_is_lost_and_returns_once_and_who_comes_late_says_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    gate = RedisCircuitBreaker(clock)
    gate.open()
    began = gate.now()
    clock.pass_(1)
    gate.see()
    gate.fail(StoreUnavailable("late"), since=began)
    assert not gate.shut
    for _ in range(3):
        gate.fail(StoreUnavailable("gone"), since=gate.now())
    clock.pass_(2)
    gate.open()
    gate.open()

    said = capsys.readouterr().out
    assert (said.count("redis.lost"), said.count("redis.returned")) == (1, 1)
    assert "2.0" in said


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (ConnectionBroken("gone"), True),
        (TimedOut("slow"), True),
        (ReadOnlyError("You can't write against a read only replica."), True),
        (RedisClusterException("no node"), True),
        (ResponseError("OOM command not allowed"), True),
        (ResponseError("MISCONF cannot persist"), True),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (ResponseError("CLUSTERDOWN Hash slot not served"), True),
        (ResponseError("WRONGTYPE of one key"), False),
        (ResponseError("ERR user_script:3: attempt to index"), False),
    ],
)
def test_a_refusal_of_everybody_is_told_from_that_of_one_command(
    error: Exception, away: bool
) -> None:
    with pytest.raises(StoreUnavailable) as caught, mapped():
        raise error

    assert is_away(caught.value) is away


def late() -> StoreUnavailable:
    error = StoreUnavailable("Redis: TimeoutError")
    error.__cause__ = TimedOut("no reply in time")
    return error


def test_a_single_time_out_shuts_nothing_and_a_second_one_begun_after_it_does() -> None:
    clock = Clock()
    gate = RedisCircuitBreaker(clock)
    gate.see()
    clock.pass_(0.5)
    together = gate.now()
    clock.pass_(1)

    for _ in range(50):  # all that was under way when our loop was held up
        gate.fail(late(), since=together)
    assert not gate.shut

    clock.pass_(0.1)
    gate.see()
    clock.pass_(1)
    gate.fail(late(), since=gate.now())
    assert not gate.shut
    clock.pass_(0.1)
    gate.fail(late(), since=gate.now())
    assert gate.shut
