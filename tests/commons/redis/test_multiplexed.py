"""Many requests on one connection: every reply reaches its caller, and no failure stays."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoScriptError, ResponseError
from redis.exceptions import ConnectionError as ConnectionBroken
from redis.exceptions import TimeoutError as TimedOut
from support.exchanges import a_record
from support.loop_clock import clock_of
from support.redis_server import RedisServer

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.redis.multiplexed import (
    OVERDUE_SECONDS,
    MultiplexedConnection,
    connect_multiplexed,
)
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.accounting.affinity_writer import AffinityWriter
from codex_proapi.gateway.accounting.ledger_writer import RedisWriter
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter
from codex_proapi.gateway.limits.expiring_members import ExpiringMembers
from codex_proapi.gateway.pool.slot_queue import AccountQueue, Waiter
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest


def line_to(url: str, *, timeout: float = 1.0) -> MultiplexedConnection:
    line = connect_multiplexed(url, timeout=timeout)
    assert line is not None
    return line


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[MultiplexedConnection]:
    made = line_to(redis_url)
    yield made
    await made.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://s1/main",
        "redis+cluster://c1",
        "rediss://cache?ssl_cert_reqs=none",
    ],
)
def test_where_one_connection_is_not_enough_there_is_no_line(url: str) -> None:
    assert connect_multiplexed(url) is None


async def test_every_reply_reaches_its_caller(line: MultiplexedConnection) -> None:
    got = await asyncio.gather(*(line.call("ECHO", f"{number} ключ") for number in range(2000)))

    assert got == [f"{number} ключ" for number in range(2000)]
    assert repr(line) == "<MultiplexedConnection up>"


async def test_one_connection_serves_them_all(
    line: MultiplexedConnection, redis_client: Redis
) -> None:
    await asyncio.gather(*(line.call("INCR", "n") for _ in range(500)))

    assert await redis_client.get("n") == "500"
    assert len(await redis_client.client_list()) == 2


async def test_a_large_reply_comes_in_pieces_and_whole(line: MultiplexedConnection) -> None:
    text = "x" * 3_000_000

    assert await line.call("ECHO", text) == text


async def test_an_error_reaches_its_caller_only(line: MultiplexedConnection) -> None:
    wrong = asyncio.ensure_future(line.call("INCR", "n", "m"))
    right = asyncio.ensure_future(line.call("INCR", "n"))

    with pytest.raises(ResponseError):
        await wrong
    assert await right == 1
    with pytest.raises(NoScriptError):
        await line.call("EVALSHA", "0" * 40, 0)


async def test_a_caller_that_leaves_does_not_shift_the_replies(line: MultiplexedConnection) -> None:
    await line.call("PING")
    calls = [asyncio.ensure_future(line.call("ECHO", str(number))) for number in range(100)]
    await asyncio.sleep(0)
    for call in calls[::3]:
        call.cancel()

    kept = [number for number in range(100) if number % 3]
    assert [await calls[number] for number in kept] == [str(number) for number in kept]


async def test_the_first_caller_may_leave_while_the_line_is_drawn(
    line: MultiplexedConnection,
) -> None:
    first = asyncio.ensure_future(line.call("ECHO", "first"))
    second = asyncio.ensure_future(line.call("ECHO", "second"))
    await asyncio.sleep(0)
    first.cancel()

    assert await second == "second"


async def test_when_the_server_dies_all_are_told_and_the_next_call_finds_its_successor() -> None:
    with RedisServer() as server:
        line = line_to(server.url)
        await line.call("PING")
        server.freeze()
        calls = [asyncio.ensure_future(line.call("INCR", "n")) for _ in range(5)]
        await asyncio.sleep(0.02)
        server.kill()
        for call in calls:
            with pytest.raises(ConnectionBroken):
                await call
        assert repr(line) == "<MultiplexedConnection down>"
        with pytest.raises(ConnectionBroken):
            await line.call("PING")

        server.start()

        assert await line.call("PING") == "PONG"
        await line.aclose()


async def test_a_server_that_hangs_breaks_the_line_in_time() -> None:
    with RedisServer() as server:
        line = line_to(server.url, timeout=1.0)
        await line.call("PING")
        server.freeze()
        with pytest.raises(TimedOut):
            await line.call("PING")
        with pytest.raises((TimedOut, ConnectionBroken)):
            await line.call("PING")
        server.thaw()

        assert await line.call("PING") == "PONG"
        await line.aclose()


async def test_a_quiet_line_stays_up_and_a_slow_stream_of_calls_does_not_time_out(
    redis_server: RedisServer,
) -> None:
    line = line_to(redis_server.url, timeout=1.0)
    clock = await clock_of(line)
    for _ in range(4):
        assert await line.call("PING") == "PONG"
        clock.pass_(0.6)
    assert repr(line) == "<MultiplexedConnection up>"
    await line.aclose()


def test_the_url_may_say_how_long_a_command_takes() -> None:
    assert line_to("redis://cache?socket_timeout=4")._timeout == 4.0


async def test_a_server_that_can_not_be_reached_is_an_error_each_time() -> None:
    for url in ("unix:///nowhere", "redis://127.0.0.1:9"):
        line = line_to(url)
        for _ in range(2):
            with pytest.raises(ConnectionBroken):
                await line.call("PING")
        await line.aclose()


async def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line = line_to(f"redis://127.0.0.1:{port}/3", timeout=0.1)

    with pytest.raises(TimedOut):
        await line.call("PING")

    await line.aclose()
    server.close()
    await server.wait_closed()


async def test_the_address_chooses_the_database_and_the_login() -> None:
    with RedisServer() as server:
        admin = connect(server.url)
        await admin.config_set("requirepass", "canary")
        await admin.aclose()
        line = line_to(f"{server.url}&password=canary".replace("db=0", "db=2"))
        assert "db=2" in await line.call("CLIENT", "INFO")
        await line.aclose()
        for bad in (
            server.url,
            f"{server.url}&password=wrong",
            f"{server.url}&password=x&username=y",
        ):
            line = line_to(bad)
            with pytest.raises(AuthenticationError) as caught:
                await line.call("PING")
            assert "canary" not in str(caught.value)
            await line.aclose()


async def test_a_server_that_became_a_replica_is_left(
    line: MultiplexedConnection, redis_client: Redis
) -> None:
    await line.call("PING")
    await redis_client.replicaof("127.0.0.1", "9")
    with pytest.raises(ConnectionBroken, match="READONLY"):
        await line.call("SET", "x", 1)
    assert repr(line) == "<MultiplexedConnection down>"
    await redis_client.replicaof("NO", "ONE")

    assert await line.call("SET", "x", 1) == "OK"


async def test_after_closing_nothing_is_left_waiting(redis_url: str) -> None:
    line = line_to(redis_url)
    await line.aclose()
    await line.call("PING")
    waiting = asyncio.ensure_future(line.call("BLPOP", "nothing", 0))
    await asyncio.sleep(0.01)

    await line.aclose()

    with pytest.raises(ConnectionBroken):
        await waiting


async def test_closing_while_the_line_is_drawn_ends_the_drawing(redis_url: str) -> None:
    line = line_to(redis_url)
    waiting = asyncio.ensure_future(line.call("PING"))
    await asyncio.sleep(0)

    await line.aclose()

    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_snapshots_and_scripts_go_over_the_line(
    line: MultiplexedConnection, redis_client: Redis
) -> None:
    snapshots = SnapshotReader(redis_client, multiplexed=line)
    await AffinityWriter(redis_client).tie({"f": "acc_1"})

    request = SnapshotRequest(account_ids=["acc_1"], model="m")
    first = await snapshots.read(request)  # the server knows the script from here on
    surveys = [first, *await asyncio.gather(*(snapshots.read(request) for _ in range(99)))]
    tied = await snapshots.read(SnapshotRequest(account_ids=["acc_1"], model="m", affinity="f"))

    assert [each.cursor for each in surveys] == list(range(1, 101))
    assert tied.affine == "acc_1"


async def test_failures_on_the_line_are_those_of_any_script(redis_client: Redis) -> None:
    line = line_to("unix:///nowhere")
    with pytest.raises(StoreUnavailable):
        await Scripts(redis_client, "codex_proapi.commons.redis", connection=line).repeat(
            "release_lock", ["lock"], ["me"]
        )


async def test_a_reply_that_came_while_our_own_loop_was_held_up_is_no_time_out(
    redis_server: RedisServer,
) -> None:
    line = line_to(redis_server.url, timeout=1.0)
    clock = await clock_of(line)
    for _ in range(2):  # and it is as patient the next time
        waiting = asyncio.ensure_future(line.call("PING"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        clock.pass_(1.0)

        assert await waiting == "PONG"
        clock.pass_(OVERDUE_SECONDS)
    await line.aclose()


async def test_a_reply_that_does_not_come_at_the_second_look_is_a_time_out(
    redis_server: RedisServer,
) -> None:
    line = line_to(redis_server.url, timeout=1.0)
    clock = await clock_of(line)
    waiting = asyncio.ensure_future(line.call("BLPOP", "nothing", 0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    clock.pass_(1.0)
    assert not waiting.done()
    clock.pass_(OVERDUE_SECONDS)

    with pytest.raises(TimedOut):
        await waiting
    await line.aclose()


async def test_commands_fail_at_once_while_the_circuit_breaker_is_shut(redis_url: str) -> None:
    breaker = RedisCircuitBreaker()
    line = connect_multiplexed(redis_url, breaker=breaker)
    assert line is not None
    assert await line.call("PING") == "PONG"

    breaker.shut = True
    with pytest.raises(ConnectionBroken, match="away"):
        await line.call("PING")

    breaker.open()
    assert await line.call("PING") == "PONG"
    await line.aclose()


async def test_after_a_drop_the_next_command_has_a_new_connection(
    line: MultiplexedConnection,
) -> None:
    before = await line.call("CLIENT", "ID")
    waiting = asyncio.ensure_future(line.call("PING"))
    await asyncio.sleep(0)

    line.drop()

    with pytest.raises(ConnectionBroken):
        await waiting
    assert await line.call("CLIENT", "ID") > before


async def test_what_each_request_writes_needs_no_connection_of_the_pool(redis_url: str) -> None:
    # Such a client could not connect: whatever reaches Redis went over the line.
    nowhere, line = connect("unix:///nowhere"), line_to(redis_url)
    queue = AccountQueue(
        nowhere,
        blocking_redis=nowhere,
        connection=line,
        replica="r1",
        tasks=Tasks(),
        clock=time.time,
    )
    settlements = SettlementWriter(nowhere, connection=line)
    writer = RedisWriter(
        nowhere,
        settlements=settlements,
        cooldowns=CooldownStore(nowhere, connection=line),
        connection=line,
    )
    permits = ExpiringMembers(nowhere, connection=line, clock=time.time, seconds=60, kept=120)

    queue.most = 1
    assert await queue.take("acc_1", Waiter(request_id="r1")) == ()
    assert await queue.take("acc_1", Waiter(request_id="r2")) == ["acc_1"]
    await queue.free("r1")
    assert await queue.take("acc_1", Waiter(request_id="r2")) == ()
    await writer.tie_tentatively({"f1": "acc_1", "f2": "acc_1"})
    await writer.tie({"f1": "acc_2"})
    await writer.tie_tentatively({"f1": "acc_3"})
    assert await line.call("GET", keyspace.affinity("f1")) == "acc_2"
    assert await line.call("GET", keyspace.affinity("f2")) == "~acc_1"
    await writer.succeed({"acc_1": time.time()})
    assert await settlements.add([a_record(1)]) == 1
    await line.call("ZADD", "permits", 1, "one", 2, "two")
    await permits.remove("permits", "one")
    assert await line.call("ZRANGE", "permits", 0, -1) == ["two"]
    await line.aclose()


class Recorded:
    """Keeps what is written to a transport."""

    def __init__(self, transport: Any) -> None:
        self.abort, self._write = transport.abort, transport.write
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)
        self._write(data)


async def test_a_command_alone_is_written_at_once_and_the_others_of_its_turn_together(
    line: MultiplexedConnection,
) -> None:
    await line.call("PING")
    assert line._end is not None
    recorded: Any = Recorded(line._end._transport)
    line._end._transport = recorded
    replies = [line.call("ECHO", "first")]
    replies += [line.call("ECHO", f"{number}") for number in range(3)]
    assert len(recorded.pieces) == 1, "what follows waits for the turn's end"
    assert await asyncio.gather(*replies) == ["first", "0", "1", "2"]
    assert [piece.count(b"ECHO") for piece in recorded.pieces] == [1, 3]
