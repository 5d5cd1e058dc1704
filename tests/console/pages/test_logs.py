import html
import re
from typing import Any

import msgspec
import pytest
from support.console_pages import filled_console

from codex_proapi.console.pages.logs import FilterView


def _names(page: str) -> dict[str, dict[str, str]]:
    found = re.search(r"data-names='([^']*)'", page)
    assert found
    return msgspec.json.decode(html.unescape(found[1]), type=dict[str, dict[str, str]])


async def test_the_script_gets_names_and_words(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        english = _names((await site.get("/logs")).text)
        chinese = _names((await site.get("/logs", cookie="language=zh-CN")).text)
        first = site.scene.ids[0]

    assert english["accounts"][first] == "ada@example.com"
    assert "CI" in english["keys"].values()
    assert (english["endings"]["whole"], chinese["endings"]["whole"]) == (
        "complete answer",
        "完整回答",
    )
    assert chinese["events"]["account.cooled"] == "账号进入冷却"


async def test_filters_stand_in_the_address(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        page = (await site.get("/logs?level=error&status=5xx&q=%22%3Cb%3E")).text

    assert '<option value="error" selected>' in page
    assert 'name="status" value="5xx"' in page
    assert 'value="&#34;&lt;b&gt;"' in page
    assert 'id="filter-count">1<' in page


@pytest.mark.parametrize(
    ("filter_", "more"),
    [
        (FilterView(), 0),
        (FilterView(q="x", level="error"), 0),
        (FilterView(account="acc_1", status="4xx", q="x"), 2),
    ],
)
def test_filters_beside_search_and_level_are_counted(filter_: Any, more: Any) -> None:
    assert filter_.more == more
