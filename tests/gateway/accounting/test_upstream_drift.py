"""What a replica notes of the backend's news: once in ten minutes, and kept while Redis is away."""

from collections.abc import Iterable

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from support.clock import Clock
from support.exchanges import a_record

from codex_proapi.commons.cluster.upstream_drift import UpstreamDriftStore
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import AttemptRecord
from codex_proapi.gateway.accounting.upstream_drift import UpstreamDrift
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport


class Counting(UpstreamDriftStore):
    """A store that counts its writes, and may be away."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.written: list[list[tuple[str, str]]] = []
        self.away = False

    async def note(self, seen: Iterable[tuple[str, str]], *, now: int) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.written.append(list(seen))
        await super().note(seen, now=now)


@pytest.fixture
def store(redis_client: Redis) -> Counting:
    return Counting(redis_client)


def a_report(*fields: str) -> ResponseReport:
    report = ResponseReport()
    report.count_unknown("response.odd")
    report.unknown_fields = frozenset(fields)
    return report


def an_attempt(code: str, status: int = 400) -> AttemptRecord:
    return AttemptRecord(account="a", verdict="give_up", status=status, code=code)


async def test_names_are_written_once_and_again_after_ten_minutes(store: Counting) -> None:
    clock = Clock(1000)
    drift = UpstreamDrift(store, Metrics(CollectorRegistry()), clock=clock)
    for _ in range(3):
        drift.note_report(a_report("mood"))
        await drift.flush()
        clock.pass_(100)
    assert store.written == [[("event", "response.odd"), ("field", "mood")]]

    clock.pass_(600)
    drift.note_report(a_report())
    await drift.flush()
    assert store.written[1:] == [[("event", "response.odd")]]
    assert {(each.first_at, each.last_at) for each in await store.all()} == {
        (1000, 1900),
        (1000, 1000),
    }


async def test_a_code_that_is_not_known_is_news_others_are_not(store: Counting) -> None:
    metrics = Metrics(CollectorRegistry())
    drift = UpstreamDrift(store, metrics, clock=Clock())
    codes = ("usage_limit_reached", "server_error", "tool_collision", "")
    attempts = (*map(an_attempt, codes), an_attempt("connect_failed", status=0))
    drift.settle(msgspec.structs.replace(a_record(1), attempts=attempts))
    await drift.flush()

    assert store.written == [[("refusal", "tool_collision")]]
    assert b'gateway_upstream_drift_total{sort="refusal"} 1.0' in metrics.exposition()


async def test_while_redis_is_away_it_waits(store: Counting) -> None:
    drift = UpstreamDrift(store, Metrics(CollectorRegistry()), clock=Clock())
    store.away = True
    drift.note_report(a_report())
    await drift.flush()
    store.away = False
    await drift.flush()

    assert store.written == [[("event", "response.odd")]]
