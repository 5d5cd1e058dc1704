"""Settings: those of the process as they are, and those changed while running."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import KEY, PASSWORD, console_settings, guarded, running, script

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import LiveSettings, LiveSettingsStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.counters import day_of
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.console.api.settings import LiveBody, SettingsChange
from codex_proapi.console.app import Console
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter


@pytest.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    async with running(console_settings(redis_url)) as console:
        yield console


@pytest.fixture
async def api(console: Console) -> AsyncIterator[httpx.AsyncClient]:
    async with script(console) as api:
        yield api


async def test_nothing_is_changed_at_first_and_no_secret_is_shown(
    api: httpx.AsyncClient, redis_url: str
) -> None:
    answer = await api.get("/api/settings")

    body = answer.json()
    assert set(body["live"].values()) == {None}
    assert body["fixed"]["base_url"] == "http://localhost:1455/v1"
    assert body["fixed"]["redirect_uri"] == "http://localhost:1455/auth/callback"
    assert KEY not in answer.text
    assert redis_url not in answer.text
    async with running(guarded(redis_url)) as console:
        assert PASSWORD not in repr(console._settings)


async def test_a_change_reaches_every_replica_and_null_takes_it_back(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    store = LiveSettingsStore(redis_client)
    change = {"routing": "round_robin", "model_aliases": {"gpt-5": "gpt-6-sol"}}
    body = (await api.patch("/api/settings", json=change)).json()
    assert body["live"]["routing"] == "round_robin"
    assert await store.read() == LiveSettings(
        routing=Routing.ROUND_ROBIN, model_aliases={"gpt-5": "gpt-6-sol"}
    )

    await api.patch("/api/settings", json={"routing": None})
    assert await store.read() == LiveSettings(model_aliases={"gpt-5": "gpt-6-sol"})


async def test_what_is_held_back_and_shared_is_set_and_nought_is_a_value(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    change = {"quota_reserve": 7.5, "account_streams": 0, "fair_share_below": 0}
    body = (await api.patch("/api/settings", json=change)).json()

    assert {name: body["live"][name] for name in change} == change
    assert await LiveSettingsStore(redis_client).read() == LiveSettings(
        quota_reserve=7.5, account_streams=0, fair_share_below=0
    )


async def test_a_change_is_recorded_with_before_and_after(api: httpx.AsyncClient) -> None:
    await api.patch("/api/settings", json={"default_model": "gpt-6-sol"})
    await api.patch("/api/settings", json={"default_model": None})

    newest, first = (await api.get("/api/audit")).json()["deeds"]
    assert first["deed"]["action"] == "settings.changed"
    assert first["deed"]["before"] == {"default_model": ""}
    assert first["deed"]["after"] == {"default_model": "gpt-6-sol"}
    assert newest["deed"]["before"] == {"default_model": "gpt-6-sol"}


def test_whatever_can_be_changed_while_running_is_shown_and_can_be_changed_here() -> None:
    settings = {field.name for field in msgspec.structs.fields(LiveSettings)}

    for body in (LiveBody, SettingsChange):
        assert {field.name for field in msgspec.structs.fields(body)} == settings


@pytest.mark.parametrize(
    "change",
    [
        {"routing": "by_moon"},
        {"model_aliases": {"": "x"}},
        {"model_aliases": ["x"]},
        {"usage_days": 0},
        {"quota_poll_seconds": 5},
        {"usage_days": 31},
        {"log_entries": 999},
        {"log_entries": 100_001},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "localtime"},
        {"time_zone": ""},
        {"quota_reserve": 51},
        {"account_streams": -1},
        {"account_streams": 1.5},
        {"fair_share_below": 101},
        {"api_key_policy": "none"},
        {"default_model": ""},
    ],
)
async def test_a_wrong_value_changes_nothing(
    api: httpx.AsyncClient, redis_client: Redis, change: dict[str, object]
) -> None:
    answer = await api.patch("/api/settings", json=change)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")
    assert await LiveSettingsStore(redis_client).read() == LiveSettings()


async def test_a_shorter_retention_takes_effect_on_the_usage_there_is(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    now = Clock().now
    for number, days in enumerate((0, 50)):
        at = now - days * 86_400
        record = ExchangeRecord(
            request_id=f"r{number}", at=at, endpoint="chat", key_id="k", ending=Ending.WHOLE
        )
        await SettlementWriter(redis_client).add([record])
    since = day_of(now - 60 * 86_400)
    assert len((await api.get("/api/usage", params={"since": since})).json()["rows"]) == 2

    changed = await api.patch("/api/settings", json={"usage_days": 32})

    assert changed.json()["live"]["usage_days"] == 32
    assert len((await api.get("/api/usage", params={"since": since})).json()["rows"]) == 1


async def test_a_shorter_log_loses_its_oldest_entries_at_once(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    pipe = redis_client.pipeline()
    for number in range(3_000):
        pipe.xadd(keyspace.logs(), {"entry": "{}"}, id=f"{number + 1}-0")
    await pipe.execute()

    changed = await api.patch("/api/settings", json={"log_entries": 1_000})

    assert changed.json()["live"]["log_entries"] == 1_000
    assert 1_000 <= await redis_client.xlen(keyspace.logs()) <= 1_100


async def test_the_base_url_is_the_public_one_where_there_is_one(redis_url: str) -> None:
    settings = guarded(redis_url, public_url="https://codex.example")
    async with running(settings) as console, script(console) as api:
        signed_in = await api.post("/api/session", json={"password": PASSWORD})
        assert signed_in.status_code == 201
        body = (await api.get("/api/settings")).json()

    assert body["fixed"]["base_url"] == "https://codex.example/v1"
    assert body["fixed"]["redirect_uri"] == "http://localhost:1455/auth/callback"


async def test_the_audit_names_only_what_differs(api: httpx.AsyncClient) -> None:
    whole_form = {"routing": "least_used", "default_model": None, "quota_reserve": 10.0}
    await api.patch("/api/settings", json=whole_form)
    await api.patch("/api/settings", json=whole_form)
    await api.patch("/api/settings", json={**whole_form, "quota_reserve": 20.0})

    newest, first = (await api.get("/api/audit")).json()["deeds"]
    assert set(first["deed"]["after"]) == {"routing", "quota_reserve"}
    assert newest["deed"]["before"] == {"quota_reserve": "10.0"}
    assert newest["deed"]["after"] == {"quota_reserve": "20.0"}
