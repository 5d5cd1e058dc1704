"""The whole gateway, put together once."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from support.asgi import Received, Sent, a_scope
from support.gateways import stage

from codex_proapi.commons.native import NATIVE
from codex_proapi.gateway.app import build, own_version
from codex_proapi.gateway.settings import GatewaySettings

NOWHERE = "unix:///nowhere/at/all"


def settings(**changes: Any) -> Any:
    keys = (Fernet.generate_key().decode(),)
    return GatewaySettings(encryption_keys=keys, redis_url=NOWHERE, **changes)


async def asked(gateway: Any, path: str) -> Any:
    sent = Sent()
    await gateway.asgi(a_scope(path), Received(b""), sent)
    return sent


async def test_it_starts_without_redis_and_says_that_it_is_not_ready() -> None:
    gateway = build(settings())
    await gateway.start()
    await gateway.start()
    try:
        assert (await asked(gateway, "/readyz")).status == 503
        assert (await asked(gateway, "/health")).status == 200
    finally:
        await gateway.close()


async def test_it_tells_prometheus_of_its_process_too(redis_url: str) -> None:
    async with stage(redis_url) as play:
        text = (await play.client.get("/metrics")).text

        assert "process_resident_memory_bytes" in text
        assert "gateway_exchanges_in_flight 0.0" in text
        native = "yes" if NATIVE.code else "no"
        assert f'gateway_build_info{{native="{native}",version="{own_version()}"}} 1.0' in text


async def test_draining_is_told_to_probes_and_prometheus(redis_url: str) -> None:
    async with stage(redis_url) as play:
        assert (await play.client.get("/readyz")).status_code == 200
        play.replicas[0].gateway.begin_drain()

        assert (await play.client.get("/readyz")).status_code == 503
        assert "gateway_draining 1.0" in (await play.client.get("/metrics")).text


async def test_what_is_settled_is_written_before_it_goes(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        gateway = play.replicas[0].gateway
        await play.chat()

        await gateway.close()

        assert len(gateway.stores.ledger) == 0
        assert len(await play.records()) == 1


async def test_refreshes_are_counted_by_their_outcome(redis_url: str) -> None:
    async with stage(redis_url) as play:
        await play.log_in("ada", expires_in=-60)
        await play.chat()

        metrics = (await play.client.get("/metrics")).text
        assert 'gateway_refreshes_total{outcome="refreshed"} 1.0' in metrics


def test_it_knows_its_version() -> None:
    assert own_version()


@pytest.mark.parametrize(("level", "quiet"), [("info", False), ("warning", True)])
async def test_where_only_warnings_are_wanted_exchanges_are_not_logged(
    level: Any, quiet: Any
) -> None:
    gateway = build(settings(log_level=level))
    try:
        assert (gateway.access_log.settle in gateway.services.readers) is not quiet
        assert "8080" in repr(gateway)
    finally:
        await gateway.close()


async def test_usage_is_written_before_anything_else_is_given_back() -> None:
    gateway = build(settings())
    order: list[str] = []
    parts: Any = (("ledger", gateway.stores.ledger), ("slots", gateway.stores.queue))
    for name, part in parts:
        close = part.close

        async def noted(name: str = name, close: Any = close) -> None:
            order.append(name)
            await close()

        part.close = noted
    await gateway.close()

    assert order == ["ledger", "slots"]


async def test_what_every_request_writes_has_the_connection_for_it() -> None:
    gateway = build(settings())
    stores = gateway.stores
    writes = stores.redis.writes
    assert writes is not None

    writers = (
        *(stores.queue._scripts, stores.queue._members, stores.stream_permits._members),
        *(stores.settlements._scripts, stores.cooldowns._scripts),
    )

    assert [each._execute == writes.call for each in writers] == [True] * 5
    await gateway.close()
