import gzip
from typing import Any

import pytest
from support.console_pages import filled_console
from support.consoles import PASSWORD

from codex_proapi.console.layout.assets import assets


async def test_files_are_kept_for_ever_under_their_own_address(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        answer = await site.get(assets().url("css/parts.css"), **{"accept-encoding": "identity"})

    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "accept-encoding"
    assert "content-encoding" not in answer.headers


async def test_another_releases_address_gives_this_releases_file(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        answer = await site.get("/static/000000000000/js/app.js")

    assert answer.is_success
    assert answer.headers["cache-control"] == "public, no-cache"


async def test_a_browser_that_has_it_gets_nothing_again(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        url = assets().url("css/parts.css")
        etag = (await site.get(url)).headers["etag"]
        answer = await site.get(url, **{"if-none-match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


async def test_files_are_compressed_for_who_can_read_it(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        url = assets().url("css/parts.css")
        request = site.browser.build_request("GET", url, headers={"accept-encoding": "gzip"})
        answer = await site.browser.send(request, stream=True)
        raw = b"".join([piece async for piece in answer.aiter_raw()])

    assert answer.headers["content-encoding"] == "gzip"
    asset = assets().get("css/parts.css")
    assert asset
    assert gzip.decompress(raw) == asset.content


@pytest.mark.parametrize(
    "path",
    [
        "/static/x/../../app.py",
        "/static/x/%2e%2e/app.py",
        "/static/x/js/none.js",
        "/static/x/vendor/checksums.md",
        "/texts/fr.js",
        "/texts/en.json",
        "/texts/zh-CN.po",
    ],
)
async def test_nothing_else_is_served(redis_url: str, path: Any) -> None:
    async with filled_console(redis_url, empty=True) as site:
        assert (await site.get(path)).status_code == 404


async def test_scripts_get_their_words(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        answer = await site.get(f"/texts/zh-CN.js?{assets().build}")
        other = await site.get("/texts/en.js")

    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert "已复制" in answer.text
    assert other.headers["cache-control"] == "public, no-cache"


async def test_a_stranger_sees_the_door_with_its_styles(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True, admin_password=PASSWORD) as site:
        found = [
            (await site.get(path)).status_code
            for path in (assets().url("css/parts.css"), "/texts/en.js", "/favicon.ico")
        ]

    assert found == [200, 200, 200]
