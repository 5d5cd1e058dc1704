from typing import Any

import pytest
from support.console_pages import filled_console, words_of
from support.consoles import PASSWORD
from support.redis_server import RedisServer

from codex_proapi.console.server.error_responses import SIGN_IN_PAGE


async def test_a_stranger_is_led_to_the_door_and_back(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True, admin_password=PASSWORD) as site:
        away = await site.get("/keys?new")
        html = (await site.get(away.headers["location"])).text

    assert away.status_code == 303
    assert 'data-api="POST /api/session" data-then="/keys?new' in html
    assert "Sign in" in words_of(html)


@pytest.mark.parametrize(
    "next_", ["//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example/"]
)
async def test_the_way_back_leads_nowhere_else(redis_url: str, next_: Any) -> None:
    async with filled_console(redis_url, empty=True, admin_password=PASSWORD) as site:
        html = (await site.browser.get(SIGN_IN_PAGE, params={"next": next_})).text

    assert 'data-then="/"' in html
    assert "evil" not in html


async def test_who_is_signed_in_is_sent_on_from_the_sign_in_page(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True, admin_password=PASSWORD) as site:
        await site.browser.sign_in()
        answer = await site.get(f"{SIGN_IN_PAGE}?next=/keys")

    assert (answer.status_code, answer.headers["location"]) == (303, "/keys")


async def test_without_an_administrator_the_page_sets_one_up(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True, public_url="https://pool.example") as site:
        site.browser.base_url = "https://pool.example"
        site.browser.headers["origin"] = "https://pool.example"
        html = (await site.get("/setup?token=abc%22def")).text

    assert 'data-api="POST /api/setup"' in html
    assert 'name="token" value="abc&#34;def"' in html


async def test_a_page_that_is_not_there_says_so_in_the_visitors_language(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        english = await site.get("/nowhere")
        chinese = await site.get("/nowhere", cookie="language=zh-CN")

    assert english.status_code == 404
    assert "There is no such page or object." in english.text
    assert "没有此页面或对象。" in chinese.text
    assert english.headers["x-request-id"] in english.text


async def test_an_error_page_keeps_the_browsers_csrf_token(redis_url: str) -> None:
    """Its language switch and sign-out are requests of the same browser."""
    async with filled_console(redis_url, empty=True) as site:
        await site.get("/keys")
        token = (await site.browser.get("/api/session")).json()["csrf_token"]
        answer = await site.get("/accounts/acc_000000000000")

    assert answer.status_code == 404
    assert token
    assert f'name="csrf" content="{token}"' in answer.text


async def test_redis_away_is_told_with_its_cure(redis_url: str, redis_server: RedisServer) -> None:
    async with filled_console(redis_url, empty=True) as site:
        assert (await site.get("/keys")).is_success
        redis_server.kill()
        try:
            answer = await site.get("/keys")
        finally:
            redis_server.start()

    assert answer.status_code == 503
    assert "Redis does not answer." in answer.text
    assert "Check that Redis runs and that REDIS_URL is right." in answer.text
