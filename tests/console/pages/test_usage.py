import re
from typing import Any
from urllib.parse import parse_qs

import pytest
from support.console_pages import NOW, PageClient, filled_console, words_of

from codex_proapi.commons.prices.token_costs import Cost
from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.commons.usage.counters import Counters, day_of
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.console.api.usage_rows import Wanted
from codex_proapi.console.pages.usage import Asked, asked_for, rows_of_sums, total_of
from codex_proapi.console.pages.usage_over_time import Moment, names_of, trend_of
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

DAY = 86_400
TODAY = day_of(NOW)


async def settle(site: PageClient, *, ago: int = 0, **facts: Any) -> None:
    provided = {
        "endpoint": "chat",
        "ending": Ending.WHOLE,
        "tokens": Tokens(input=1_000, cached=400),
    }
    record = ExchangeRecord(
        request_id=f"r{facts}{ago}", at=NOW - ago * DAY, **{**provided, **facts}
    )
    await SettlementWriter(site.console.redis).add([record])


def row(html: str, name: str) -> list[str]:
    """The cells of one row, by the name in its first one."""
    rows = re.findall(r"<tr id=\"row-.*?</tr>", html, re.DOTALL)
    cells = [re.findall(r"<t[dh]\b.*?</t[dh]>", each, re.DOTALL) for each in rows]
    told = [[re.sub(r"<[^>]*>", "", cell).strip() for cell in each] for each in cells]
    return next(each for each in told if each[0] == name)


async def test_days_are_added_up_with_a_total(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        await settle(site, key_id="key_a", first_byte_ms=1_000)
        await settle(site, key_id="key_a", ago=6, first_byte_ms=2_000)
        await settle(site, key_id="key_a", ago=7)
        await settle(site, ending=Ending.BROKEN, tokens=Tokens(), estimated=70)
        html = (await site.get("/usage")).text

    assert row(html, "key_a") == [
        "key_a",
        "2",
        "0",
        "2,000",
        "800 40%",
        "0",
        "0",
        "0",
        "–",
        "1.5 sec",
    ]
    assert row(html, "without a key") == [
        "without a key",
        "1",
        "1",
        "0",
        "0",
        "0",
        "0",
        "70",
        "–",
        "–",
    ]
    assert row(html, "Total")[1:4] == ["3", "1", "2,000"]


async def test_a_key_is_told_apart_by_models_and_a_model_by_keys(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        for key_id, model in (("key_a", "gpt-6-sol"), ("key_a", "gpt-5.5"), ("key_b", "gpt-5.5")):
            await settle(site, key_id=key_id, answered_model=model)
        keys = (await site.get("/usage?by=key")).text
        models = (await site.get("/usage?by=model&key=key_a")).text
        users = (await site.get("/usage?by=key&model=gpt-5.5")).text

    assert 'href="/usage?by=model&amp;range=7d&amp;key=key_a"' in keys
    assert [row(models, name)[1] for name in ("gpt-6-sol", "gpt-5.5", "Total")] == [*"112"]
    assert [row(users, name)[1] for name in ("key_a", "key_b", "Total")] == [*"112"]


async def test_the_csv_has_the_same_days_and_the_same_key(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        (key_id, *_) = site.scene.key_names
        html = (await site.get(f"/usage?by=model&key={key_id}&range=30d")).text
        found = re.search(r'href="(/api/usage\?[^"]*)"', html)
        assert found
        address = found[1].replace("&amp;", "&")
        csv = await site.get(address)

    query = parse_qs(address.partition("?")[2])
    assert query["key"] == [key_id]
    assert query["since"] == [day_of(NOW - 29 * DAY)]
    assert csv.headers["content-disposition"].startswith('attachment; filename="usage-model-')


async def test_many_keys_are_told_page_by_page_with_the_total_of_all(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        records = [
            ExchangeRecord(
                request_id=f"many_{number}",
                at=NOW,
                endpoint="chat",
                key_id=f"key_{number:03}",
                tokens=Tokens(input=1_000 - number),
                ending=Ending.WHOLE,
            )
            for number in range(60)
        ]
        await SettlementWriter(site.console.redis).add(records)
        first = (await site.get("/usage?by=key&range=today")).text
        second = (await site.get("/usage?page=2&by=key&range=today")).text

    assert (first.count('id="row-key_'), second.count('id="row-key_')) == (50, 10)
    assert 'href="/usage?page=2&amp;by=key&amp;range=today"' in first
    assert "51–60 of 60" in second
    assert [row(html, "Total")[1] for html in (first, second)] == ["60", "60"]


async def test_days_without_usage_lead_on(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        week = await site.read("/usage")
        month = await site.read("/usage?range=30d")

    assert "No usage in these days Each request is counted the moment it ends. Show 30 days" in week
    assert "Connect a client" in month


async def test_an_impossible_range_is_told_and_the_usual_one_shown(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        text = await site.read("/usage?since=2026-09-21&until=2026-09-20")

    assert "the last days are shown instead" in text
    assert "Total" in text


async def test_the_dashboard_and_the_keys_lead_here(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        dashboard = (await site.get("/")).text
        keys = (await site.get("/keys")).text

    assert 'href="/usage?by=account&amp;range=today"' in dashboard
    assert f'href="/usage?by=model&amp;key={next(iter(site.scene.key_names))}"' in keys


@pytest.mark.parametrize(
    ("query", "by", "span", "days", "only"),
    [
        ({}, "key", "7d", 7, ""),
        ({"by": "model", "range": "today", "key": "k"}, "model", "today", 1, "k"),
        ({"by": "account", "range": "30d", "key": "k"}, "account", "30d", 30, ""),
        ({"by": "moon", "range": "moon"}, "key", "7d", 7, ""),
        ({"since": day_of(NOW - 2 * DAY), "until": TODAY, "range": "today"}, "key", "", 3, ""),
        ({"since": day_of(NOW - 2 * DAY)}, "key", "", 3, ""),
        ({"since": day_of(NOW + DAY)}, "key", "7d", 7, ""),
        ({"since": "yesterday"}, "key", "7d", 7, ""),
        ({"since": "2015-01-01", "range": "30d"}, "key", "30d", 30, ""),
    ],
)
def test_the_address_says_what_is_shown(
    query: Any, by: Any, span: Any, days: Any, only: Any
) -> None:
    asked = asked_for(query, now=NOW, calendar=UTC)

    assert (asked.by, asked.span, len(asked.days), asked.only) == (by, span, days, only)
    assert asked.days[-1] == TODAY
    assert asked.impossible is bool("since" in query and span)


def test_links_change_one_thing_and_keep_the_rest() -> None:
    asked = Asked(
        by="model", span="", days=("2026-09-01", TODAY), filters={"key": "key_a"}, impossible=False
    )
    days = f"since=2026-09-01&until={TODAY}"

    assert asked.query() == f"by=model&{days}&key=key_a"
    assert asked.query(span="30d") == "by=model&range=30d&key=key_a"
    assert asked.query(by="account") == f"by=account&{days}"
    assert asked.query(by="key", only="gpt 5") == f"by=key&{days}&model=gpt+5"
    assert asked.csv == f"by=model&key=key_a&{days}&format=csv"
    assert asked.query(view="month") == f"by=model&view=month&{days}&key=key_a"
    assert asked.query(view="day", one="gpt 5") == f"by=model&view=day&{days}&model=gpt+5"
    over_time = asked_for(
        {"view": "hour", "range": "today", "account": "acc_1", "key": "k"}, now=NOW, calendar=UTC
    )
    assert over_time.one == ("account", "acc_1")
    assert "step=hour" in over_time.csv
    assert over_time.query(one="") == "by=key&view=hour&range=today"


async def test_hours_of_a_key_are_shown_with_their_sum_and_a_chart(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        key_id = next(iter(site.scene.key_names))
        hours = await site.get(f"/usage?view=hour&range=7d&key={key_id}")
        days = await site.read(f"/usage?view=day&range=7d&key={key_id}")
        total = await site.read(f"/usage?by=model&range=7d&key={key_id}")
        everything = await site.read("/usage?view=month&range=30d")

    html = hours.text
    assert "Hour" in html
    assert "Codex on the laptop" in html
    assert len(re.findall(r"<th scope=\"row\"[^>]*>\s*<span class=\"time-name\">", html)) == 50
    assert html.count('class="all"') > 50
    sums = [words[words.rindex("Total") :].split()[1] for words in (words_of(html), days, total)]
    assert sums[0] == sums[1] == sums[2]
    assert "2026-09" in everything


@pytest.mark.parametrize("view", ["hour", "day", "month"])
@pytest.mark.parametrize(
    "one", ["", "&account=none", "&model=gpt-5.5", "&key=k&model=m", "&key=open"]
)
async def test_each_view_of_one_thing_has_an_answer(redis_url: str, view: str, one: str) -> None:
    async with filled_console(redis_url) as site:
        answer = await site.get(f"/usage?view={view}&range=30d{one}")
        links = [
            link.replace("&amp;", "&") for link in re.findall(r'"(/api/usage[^"]*)"', answer.text)
        ]
        files = [await site.get(link) for link in links]

    assert answer.status_code == 200
    assert [each.status_code for each in files] == [200] * len(files)


def test_a_chart_has_a_bar_for_each_hour_also_of_days_with_a_clock_change() -> None:
    berlin = Calendar("Europe/Berlin")
    wanted = Wanted(days=("2026-10-24", "2026-10-25"), step="hour")

    names = names_of(wanted, berlin, now=NOW * 2)

    assert (len(names), len(set(names))) == (49, 49)
    assert names[0] == "2026-10-24T00:00+02:00"
    assert names[-1] == "2026-10-25T23:00+01:00"
    used = Moment(name=names[3], counters=Counters(requests=1, input=10, cached=5), cost=Cost())
    bars = trend_of([used], names)
    assert [(bar.height, bar.cached) for bar in bars[2:5]] == [(0, 0), (100, 50), (0, 0)]
    assert bars[3].label == "2026-10-24 03:00"


def test_who_used_most_comes_first_and_who_asked_nothing_is_left_out() -> None:
    found = {
        "a": Counters(requests=3, input=10),
        "b": Counters(requests=1, output=6),
        "open": Counters(requests=1),
        "c": Counters(),
    }
    rows = rows_of_sums(found, {"a": "Ada"})

    assert [(row.name, row.counters.requests) for row in rows] == [("Ada", 3), ("b", 1), ("", 1)]
    total = total_of(rows)
    assert (total.counters.requests, total.counters.input, total.first_byte_ms) == (5, 10, None)
    assert total_of([]).cached_share == 0
