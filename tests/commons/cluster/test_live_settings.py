"""What can be changed while everything runs."""

from redis.asyncio import Redis

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import HistoryMode, LiveSettings, LiveSettingsStore
from codex_proapi.commons.redis import keyspace


async def test_nothing_is_set_at_first(redis_client: Redis) -> None:
    assert await LiveSettingsStore(redis_client).read() == LiveSettings()


async def test_what_is_set_is_read_by_every_replica(redis_client: Redis) -> None:
    await LiveSettingsStore(redis_client).change(
        {
            "routing": Routing.ROUND_ROBIN,
            "model_aliases": {"gpt-5": "gpt-6-sol"},
            "disabled_models": ["gpt-5.5"],
        }
    )

    assert await LiveSettingsStore(redis_client).read() == LiveSettings(
        routing=Routing.ROUND_ROBIN,
        model_aliases={"gpt-5": "gpt-6-sol"},
        disabled_models=("gpt-5.5",),
    )


async def test_none_goes_back_to_the_environment(redis_client: Redis) -> None:
    store = LiveSettingsStore(redis_client)
    await store.change({"history_mode": HistoryMode.TRANSCRIPT, "default_model": "gpt-6-sol"})

    assert await store.change({"history_mode": None}) == LiveSettings(default_model="gpt-6-sol")


async def test_a_value_of_another_version_counts_as_not_set(redis_client: Redis) -> None:
    await redis_client.hset(keyspace.settings(), mapping={"routing": '"by_moon"', "other": "1"})
    await redis_client.hset(keyspace.settings(), "default_model", "{")

    assert await LiveSettingsStore(redis_client).read() == LiveSettings()
