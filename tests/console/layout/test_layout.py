from typing import Any

import pytest
from support.console_pages import filled_console
from support.consoles import PASSWORD

from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.console.layout.layout import _first_events

BANNER = "Anyone who reaches this server can use your accounts."


async def test_the_foot_tells_how_the_system_is(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        text = await site.read("/keys")

    assert "Gateway 2 replicas" in text
    assert "Redis connected" in text


async def test_no_gateway_and_no_quota_are_said_as_such(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        text = await site.read("/keys")

    assert "Gateway not seen" in text
    assert "Quota not reported yet" in text


async def test_a_console_is_no_gateway(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        await ReplicaStore(site.console.redis).beat(Replica(id="c1", service="console"))

        assert "Gateway not seen" in await site.read("/keys")


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
    async with filled_console(redis_url, empty=True, admin_password=PASSWORD, **provided) as site:
        await site.browser.sign_in()
        if made:
            await site.scene.make_keys()

        assert (BANNER in await site.read("/keys")) is warned


async def test_a_simulated_backend_is_named_as_such(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        assert "not to OpenAI" not in await site.read("/keys")
    provided = {"codex_base_url": "http://127.0.0.1:9999/backend-api/codex"}
    async with filled_console(redis_url, empty=True, **provided) as site:
        assert "Requests go to 127.0.0.1:9999 on this machine, not to OpenAI" in await site.read(
            "/"
        )


async def test_who_had_to_sign_in_can_sign_out(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True, admin_password=PASSWORD) as site:
        await site.browser.sign_in()

        assert "Sign out" in await site.read("/keys")


async def test_where_no_login_is_asked_nobody_can_sign_out(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        assert "Sign out" not in await site.read("/keys")


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"accept-language": "zh-CN"}, "仪表盘"),
        ({"cookie": "language=zh-CN"}, "仪表盘"),
        ({}, "Dashboard"),
    ],
)
async def test_a_page_is_in_the_visitors_language(redis_url: str, headers: Any, said: Any) -> None:
    async with filled_console(redis_url, empty=True) as site:
        assert said in await site.read("/keys", **headers)


async def test_pages_and_answers_are_compressed_but_no_stream(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        for path, accept in (("/accounts", "text/html"), ("/api/accounts", "application/json")):
            answer = await site.browser.get(path, headers={"accept": accept})
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.num_bytes_downloaded < len(answer.content) / 4
        plain = await site.browser.get("/accounts", headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers


async def test_a_page_that_has_not_changed_is_not_sent_again(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        first = await site.get("/keys", **{"x-live": "1"})
        again = await site.get("/keys", **{"x-live": first.headers["x-live"]})
        await site.scene.keys.create("another")
        changed = await site.get("/keys", **{"x-live": first.headers["x-live"]})

    assert (first.status_code, again.status_code, changed.status_code) == (200, 204, 200)
    assert again.content == b""
    assert again.headers["x-live"] == first.headers["x-live"] != changed.headers["x-live"]


async def test_a_refresh_brings_the_row_that_has_changed_and_no_other(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        for number in range(40):
            await site.scene.keys.create(f"key of person {number}", owner=f"Owner {number}")
        first = await site.get("/keys", **{"x-live": "1"})
        changed, *_ = [key for key in await site.scene.keys.list() if "person" in key.name]
        await site.scene.keys.patch(changed.id, name="renamed")
        second = await site.get("/keys", **{"x-live": first.headers["x-live"]})
        third = await site.get("/keys", **{"x-live": second.headers["x-live"]})

    assert first.text.count("data-same") == 0
    assert second.text.count("data-same") == 42
    assert second.text.count("<td") == first.text.count("<td") / 43
    assert 'data-live="pulse"' not in second.text
    assert second.num_bytes_downloaded < first.num_bytes_downloaded / 3
    assert third.status_code == 204


async def test_long_lists_come_as_pages_and_are_searched_on_the_server(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        for number in range(60):
            await site.scene.keys.create(f"key of person {number}", owner=f"Owner {number}")
        first, second = await site.get("/keys"), await site.get("/keys?page=2")
        found = await site.get("/keys?q=owner+59")
        nothing = await site.get("/keys?q=nobody+at+all")

    assert first.text.count('id="row-key_') == 50
    assert second.text.count('id="row-key_') == 13
    assert "1–50 of 63" in first.text
    assert found.text.count('id="row-key_') == 1
    assert "key of person 59" in found.text
    assert "No key matches." in nothing.text
    assert len(first.content) < 250_000


@pytest.mark.parametrize(
    ("replicas", "shown"),
    [
        ([], ()),
        ([{"http": 1500}], ()),
        ([{"http": 1500, "websocket": 500}], (("HTTP", 1.5), ("WebSocket", 0.5))),
        ([{"websocket": 500}, {"websocket": 900}, {}], (("WebSocket", 0.7),)),
    ],
)
def test_first_event_times_are_shown_where_websocket_was_measured(
    replicas: list[dict[str, int]], shown: Any
) -> None:
    gateways = [Replica(id="a", service="gateway", first_event_ms=each) for each in replicas]

    assert _first_events(gateways) == shown
