"""The script of the slots against a plain model, and that a call's cost does not grow with the slots."""

import importlib.resources
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.slots import MARK

from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.pool.slot_queue import FORMS

FAR = 4_000_000_000.0
ENDED = 1.0
"""When the leases of a dead replica ended."""
MOST = 2
ACCOUNTS = ("a", "b", "c")
REQUESTS = tuple(f"{key}-{n}" for key in ("k", "l") for n in range(4))
SLOTS, QUEUE, COUNTS, HOLDERS = FORMS


def key_of(request: str) -> str:
    return request.partition("-")[0]


class Model:
    """What the slots and the queue are to be, worked out from all of them at each step."""

    def __init__(self) -> None:
        self.slots: set[tuple[str, str]] = set()
        self.expired: set[tuple[str, str]] = set()
        self.queue: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.looked = True
        """Whether a step has looked at the counts since some were lost: a renewed slot needs none."""
        self._since = 0

    def take(self, request: str, account: str) -> list[Any]:
        if (account, request) in self.slots - self.expired:
            return [1]
        self._settle(request)
        others = {who: place for who, place in self.queue.items() if who != request}
        wanted = {name for _, accounts in others.values() for name in accounts}
        if self._busy(account) < MOST and account not in wanted:
            self.slots.add((account, request))
            self._hand_out(others)
            return [1]
        self._hand_out(others)
        return [0, *sorted(wanted | {each for each in ACCOUNTS if self._busy(each) >= MOST})]

    def wait(self, request: str, accounts: tuple[str, ...]) -> int:
        self._since += 1
        self.queue[request] = (self._since, accounts)
        self._settle(request)
        if self._room(accounts):
            self._hand_out(self.queue)
        return self._since

    def free(self, request: str) -> None:
        self.queue.pop(request, None)
        self._settle(request)
        self._hand_out(self.queue)

    def tend(self) -> None:
        self.free("")

    def _settle(self, own: str) -> None:
        self.looked = True
        self.slots -= self.expired
        self.expired = set()
        self.slots = {slot for slot in self.slots if slot[1] != own}

    def _busy(self, account: str) -> int:
        return sum(each == account for each, _ in self.slots)

    def _share(self, request: str) -> int:
        return sum(key_of(who) == key_of(request) for _, who in self.slots)

    def _room(self, accounts: tuple[str, ...]) -> str:
        free = [each for each in accounts if self._busy(each) < MOST]
        return min(free, key=self._busy, default="")

    def _hand_out(self, places: dict[str, tuple[int, tuple[str, ...]]]) -> None:
        left = dict(places)
        while served := [who for who in left if self._room(left[who][1])]:
            chosen = min(served, key=lambda who: (self._share(who), left[who][0]))
            self.slots.add((self._room(left[chosen][1]), chosen))
            del left[chosen]
            self.queue.pop(chosen, None)


class Store:
    """The script on a real Redis; leases end when a step says so, never by time."""

    def __init__(self, client: Any) -> None:
        client.flushdb()
        self.client = client
        source = importlib.resources.files("codex_proapi.gateway.pool") / "slots.lua"
        self._script = client.register_script(source.read_text("utf-8"))

    def run(self, operation: str, request: str, *args: Any, most: int) -> list[Any]:
        given = [operation, most, 45, keyspace.wakes(""), request, *args]
        reply: list[Any] = self._script(keys=[*FORMS], args=given)
        return reply

    def do(self, operation: str, request: str, *args: Any, most: int = MOST) -> list[Any]:
        reply = self.run(operation, request, *args, most=most)
        self.renew()
        return [*reply[:1], *sorted(reply[1:])]

    def renew(self) -> None:
        """As replicas do, but for longer: what is handed on lapses after 5 s, which may pass here."""
        found = self.client.zrange(SLOTS, ENDED, FAR, byscore=True, withscores=True)
        if held := {slot: FAR for slot, end in found if slot != MARK and end > ENDED}:
            self.client.zadd(SLOTS, held, xx=True)

    def held(self) -> list[list[str]]:
        return [slot.split() for slot in self.client.zrange(SLOTS, 0, -1) if slot != MARK]

    def check_counts(self) -> None:
        """Counts that are marked as right are right; without slots there are none."""
        held = self.held()
        if self.client.zscore(SLOTS, MARK) is None:
            return
        counts: dict[str, int] = {}
        holders: dict[str, set[str]] = {}
        for account, request, key in held:
            counts[account] = counts.get(account, 0) + 1
            holders.setdefault(f"k {key}", set()).add(request + account)
            holders.setdefault(f"r {request}", set()).add(f"{account} {request} {key}")
        kept = self.client.hgetall(HOLDERS)
        assert dict(self.client.zrange(COUNTS, 0, -1, withscores=True)) == counts
        assert kept.pop("all") == str(len(held))
        assert kept.pop("at")
        assert kept.keys() == holders.keys()
        for field, value in kept.items():
            if field.startswith("k "):
                assert value == str(len(holders[field]))
            else:
                assert set(value.split("\n")) == holders[field]


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url, decode_responses=True, protocol=2) as made:
        yield made


requests, accounts = st.sampled_from(REQUESTS), st.sampled_from(ACCOUNTS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("take"), requests, accounts),
        st.tuples(st.just("take"), requests, accounts),
        st.tuples(st.just("wait"), requests, st.permutations(ACCOUNTS).map(lambda all_: all_[:2])),
        st.tuples(st.just("free"), requests),
        st.tuples(st.just("tend")),
        st.tuples(st.just("expire"), st.sets(requests, min_size=1)),
        st.tuples(st.just("older takes"), requests, accounts),
        st.tuples(st.just("older frees"), requests),
        st.tuples(st.just("lose"), st.sampled_from((COUNTS, HOLDERS, SLOTS))),
        st.tuples(st.just("count anew")),
    ),
    max_size=40,
)


def step_of(store: Store, model: Model) -> dict[str, Callable[..., None]]:
    """The steps, each done to both."""

    def take(request: str, account: str) -> None:
        assert store.do("take", request, account, key_of(request)) == model.take(request, account)

    def wait(request: str, names: list[str]) -> None:
        since = model.wait(request, tuple(names))
        entry = f"{since} {FAR} 1.0 {key_of(request)} one {' '.join(names)} "
        assert store.do("wait", request, entry, 100) == [1]

    def free(request: str) -> None:
        model.free(request)
        assert store.do("free", request) == [1]

    def tend() -> None:
        model.tend()
        assert store.do("tend", "") == [1]

    def expire(whose: set[str]) -> None:
        """A replica died: the leases of its requests end."""
        model.expired |= {slot for slot in model.slots if slot[1] in whose}
        for account, request in model.expired:
            store.client.zadd(SLOTS, {f"{account} {request} {key_of(request)}": ENDED}, xx=True)

    def older(request: str) -> None:
        """A script of an older release knows no mark and no counts."""
        store.client.zremrangebyscore(SLOTS, "-inf", ENDED)
        store.client.zrem(SLOTS, MARK)
        model._settle(request)
        for name in ACCOUNTS:
            store.client.zrem(SLOTS, f"{name} {request} {key_of(request)}")

    def older_takes(request: str, account: str) -> None:
        older(request)
        store.client.zadd(SLOTS, {f"{account} {request} {key_of(request)}": FAR})
        model.slots.add((account, request))

    def lose(name: str) -> None:
        store.client.delete(name)
        model.looked = False
        if name == SLOTS:
            model.slots, model.expired = set(), set()

    def count_anew() -> None:
        store.client.zadd(SLOTS, {MARK: ENDED}, xx=True)

    return {
        "take": take,
        "wait": wait,
        "free": free,
        "tend": tend,
        "expire": expire,
        "older takes": older_takes,
        "older frees": older,
        "lose": lose,
        "count anew": count_anew,
    }


COUNTS_LOST = [
    ("take", "k-0", "a"),
    ("take", "k-1", "a"),
    ("lose", COUNTS),
    ("take", "k-2", "a"),
]
HANDED_WHAT_IT_HOLDS = [
    *[("take", "k-1", "a"), ("take", "k-2", "a"), ("take", "l-0", "b"), ("take", "l-1", "b")],
    *[("wait", "k-0", ["a", "b"]), ("older frees", "k-1"), ("take", "k-0", "a"), ("free", "k-2")],
]


@example(done=COUNTS_LOST)
@example(done=HANDED_WHAT_IT_HOLDS)
@given(done=steps)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_slots_are_lent_as_if_all_of_them_were_counted_each_time(
    client: Any, done: list[tuple[Any, ...]]
) -> None:
    store, model = Store(client), Model()
    do = step_of(store, model)
    for name, *args in done:
        do[name](*args)

        assert {(account, request) for account, request, _ in store.held()} == model.slots
        assert set(client.hkeys(QUEUE)) == set(model.queue)
        if model.looked and not name.startswith("older"):
            store.check_counts()


def fill(store: Store, count: int) -> None:
    held = {f"a{n % 20} r-{n} k{n % 50}": FAR for n in range(count)}
    store.client.zadd(SLOTS, held)
    store.do("tend", "", most=9999)


@pytest.mark.parametrize(
    "call",
    [
        ("take", 9999, "new", "a1", "k1"),
        ("take", 1, "new", "a1", "k1"),
        ("free", 9999, "r-1"),
        ("wait", 1, "new", f"1 {FAR} 1.0 k1 one a1 ", 100),
        ("tend", 9999, ""),
    ],
)
def test_a_call_gives_the_same_commands_however_many_slots_are_in_use(
    client: Any, call: tuple[Any, ...]
) -> None:
    operation, most, request, *args = call
    work = []
    for count in (100, 3000):
        store = Store(client)
        fill(store, count)
        client.config_resetstat()
        store.run(operation, request, *args, most=most)
        stats = client.info("commandstats")
        work.append({name: found["calls"] for name, found in stats.items()})
        assert client.zscore(SLOTS, MARK) is not None

    assert work[0] == work[1]
    assert "cmdstat_hmget" in work[0], "the script ran"


def test_beside_an_older_release_all_slots_are_counted_and_seldom_kept(client: Any) -> None:
    store = Store(client)
    fill(store, 600)
    client.zrem(SLOTS, MARK)
    client.zadd(SLOTS, {"a1 older k1": FAR})
    client.hset(HOLDERS, "at", 1)
    assert store.do("take", "r-new", "a1", "k1", most=9999) == [1]
    store.check_counts()
    assert client.hget(HOLDERS, "all") == "602"

    client.zrem(SLOTS, MARK)
    client.hset(HOLDERS, "at", FAR)
    assert store.do("take", "r-2", "a1", "k1", most=1) == [0, *sorted(f"a{n}" for n in range(20))]
    assert client.zscore(SLOTS, MARK) is None, "they were kept less than a while ago"
    assert len(store.held()) == 601


def test_leases_of_a_dead_replica_end_some_at_a_time(client: Any) -> None:
    store = Store(client)
    fill(store, 1200)
    client.zadd(SLOTS, {" ".join(slot): ENDED for slot in store.held()}, xx=True)

    def tend() -> int:
        store.run("tend", "", most=1)
        return int(client.zcard(SLOTS))

    assert [tend() for _ in range(3)] == [701, 201, 0]
    assert not client.exists(COUNTS, HOLDERS)
