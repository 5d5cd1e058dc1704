from typing import Any

import pytest
from support.consoles import PASSWORD
from support.furnished import furnished

from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore

BANNER = "Anyone who reaches this server can use your accounts."


async def test_the_foot_tells_how_the_system_is(redis_url: str) -> None:
    async with furnished(redis_url) as visit:
        text = await visit.read("/keys")

    assert "Gateway 2 replicas" in text
    assert "Redis connected" in text


async def test_no_gateway_and_no_quota_are_said_as_such(redis_url: str) -> None:
    async with furnished(redis_url, empty=True) as visit:
        text = await visit.read("/keys")

    assert "Gateway not seen" in text
    assert "Quota not reported yet" in text


async def test_a_console_is_no_gateway(redis_url: str) -> None:
    async with furnished(redis_url, empty=True) as visit:
        await ReplicaStore(visit.console.redis).beat(Replica(id="c1", service="console"))

        assert "Gateway not seen" in await visit.read("/keys")


@pytest.mark.parametrize(
    ("provided", "made", "warned"),
    [
        ({"api_key_policy": "open"}, False, False),
        ({"api_key_policy": "open", "public_url": "https://pool.example"}, False, True),
        ({"api_key_policy": "open", "public_url": "https://pool.example"}, True, False),
        ({"public_url": "https://pool.example"}, False, False),
    ],
    ids=["this machine only", "open to all", "open until the first key", "keys required"],
)
async def test_an_open_door_is_warned_of_in_red(
    redis_url: str, provided: Any, made: Any, warned: Any
) -> None:
    async with furnished(redis_url, empty=True, admin_password=PASSWORD, **provided) as visit:
        await visit.browser.sign_in()
        if made:
            await visit.scene.make_keys()

        assert (BANNER in await visit.read("/keys")) is warned


async def test_a_simulated_backend_is_named_as_such(redis_url: str) -> None:
    async with furnished(redis_url, empty=True) as visit:
        assert "not to OpenAI" not in await visit.read("/keys")
    provided = {"codex_base_url": "http://127.0.0.1:9999/backend-api/codex"}
    async with furnished(redis_url, empty=True, **provided) as visit:
        assert "requests go to 127.0.0.1:9999 on this machine, not to OpenAI" in await visit.read(
            "/"
        )


async def test_who_had_to_sign_in_can_sign_out(redis_url: str) -> None:
    async with furnished(redis_url, empty=True, admin_password=PASSWORD) as visit:
        await visit.browser.sign_in()

        assert "Sign out" in await visit.read("/keys")


async def test_where_no_login_is_asked_nobody_can_sign_out(redis_url: str) -> None:
    async with furnished(redis_url, empty=True) as visit:
        assert "Sign out" not in await visit.read("/keys")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"accept-language": "zh-CN"}, "仪表盘"),
        ({"cookie": "language=zh-CN"}, "仪表盘"),
        ({}, "Dashboard"),
    ],
)
async def test_a_page_is_in_the_visitors_language(redis_url: str, headers: Any, said: Any) -> None:
    async with furnished(redis_url, empty=True) as visit:
        assert said in await visit.read("/keys", **headers)
