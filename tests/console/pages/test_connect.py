import html as html_lib
from typing import Any

import pytest
from support.console_pages import filled_console
from support.consoles import PASSWORD


async def test_snippets_are_filled_with_the_real_address_and_model(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        html = html_lib.unescape((await site.get("/connect")).text)

    assert 'base_url = "<var data-fill="base_url">http://localhost:1455/v1</var>"' in html
    assert '<var data-fill="model">gpt-6.1-sol</var>' in html
    assert '<var data-fill="key">YOUR_KEY</var>' in html


async def test_the_public_address_is_the_operators_word(redis_url: str) -> None:
    provided: dict[str, Any] = {"public_url": "https://pool.example", "admin_password": PASSWORD}
    async with filled_console(redis_url, **provided) as site:
        await site.browser.sign_in()

        assert "https://pool.example/v1" in await site.read("/connect")


async def test_a_hostile_forwarded_host_never_reaches_a_snippet(redis_url: str) -> None:
    async with filled_console(redis_url, trusted_proxies=()) as site:
        html = (
            await site.get(
                "/connect", **{"x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
            )
        ).text

    assert "evil.example" not in html


@pytest.mark.parametrize(
    ("asked", "shown"), [("cline", "cline"), ("nonsense", "codex"), ("", "codex")]
)
async def test_the_client_stands_in_the_address(redis_url: str, asked: Any, shown: Any) -> None:
    async with filled_console(redis_url) as site:
        html = (await site.get(f"/connect?client={asked}")).text

    assert f'id="tab-{shown}" aria-controls="client-{shown}" aria-selected="true"' in html


async def test_whether_a_key_is_needed_is_told(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True, api_key_policy="open") as site:
        before = await site.read("/connect")
        await site.scene.make_keys()
        after = await site.read("/connect")

    assert "Any text works until you create a key." in before
    assert "Paste a key to fill it in below" in after
