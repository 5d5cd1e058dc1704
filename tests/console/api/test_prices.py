"""The price table over the API, and usage with its cost, as JSON and CSV."""

import csv
import io
from decimal import Decimal

from support.clock import Clock
from support.consoles import console_settings, running, script

from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

NOW = 1_795_000_000


def an_exchange(number: int, model: str, tokens: Tokens) -> ExchangeRecord:
    return ExchangeRecord(
        request_id=f"r{number}",
        at=NOW,
        endpoint="chat",
        key_id=f"key_{number % 2}",
        sent_model=model,
        answered_model=model,
        account="acc_1",
        tokens=tokens,
        ending=Ending.WHOLE,
    )


async def test_a_price_is_set_reset_and_taken_away(redis_url: str) -> None:
    async with (
        running(console_settings(redis_url), clock=Clock(NOW)) as console,
        script(console) as api,
    ):
        shipped = (await api.get("/api/prices")).json()
        body = {"model": "my-model", "input": "1.25", "output": "10", "cached": "0.125"}
        made = await api.put("/api/prices", json=body)
        none = await api.put("/api/prices", json={"model": "gpt-5.5", "input": None})
        half = await api.put("/api/prices", json={"model": "x", "input": "1"})
        wrong = [
            await api.put("/api/prices", json={"model": "x", "input": amount, "output": "1"})
            for amount in ("-1", "NaN", "1e3", "0.0000001", "99999999")
        ]
        shown = (await api.get("/api/prices")).json()["prices"]
        gone = await api.delete("/api/prices/my-model")
        again = await api.delete("/api/prices/my-model")
        actions = [each["deed"]["action"] for each in (await api.get("/api/audit")).json()["deeds"]]

    rows = {row["model"]: row for row in shown}
    assert shipped["currency"] == "USD"
    assert not any(row["own"] for row in shipped["prices"])
    assert made.status_code == 200
    assert (rows["my-model"]["cached"], rows["my-model"]["own"]) == ("0.125", True)
    assert rows["my-model"]["as_of"] == "2026-11-18"
    assert none.status_code == 200
    assert (rows["gpt-5.5"]["input"], rows["gpt-5.5"]["own"]) == (None, True)
    assert (half.status_code, half.json()["error"]["param"]) == (400, "output")
    assert [each.status_code for each in wrong] == [400] * 5
    assert (gone.status_code, again.status_code) == (204, 404)
    assert actions == ["price.reset", "price.set", "price.set"]


async def test_usage_has_its_cost_by_key_account_and_model_and_it_adds_up(redis_url: str) -> None:
    tokens = Tokens(input=1_234_567, cached=1_000_001, output=33_333, reasoning=7)
    exchanges = [
        *(an_exchange(number, "gpt-6.2-sol", tokens) for number in range(5)),
        an_exchange(5, "nobody-knows", Tokens(input=10, output=5)),
    ]
    one = (Decimal(234_566) * 2 + Decimal(1_000_001) / 10 + Decimal(33_333) * 10) / 1_000_000
    async with (
        running(console_settings(redis_url), clock=Clock(NOW)) as console,
        script(console) as api,
    ):
        await SettlementWriter(console.redis).add(exchanges)
        found = {
            by: (await api.get("/api/usage", params={"by": by})).json()["rows"]
            for by in ("key", "account", "model")
        }
        split = (await api.get("/api/usage", params={"by": "key", "model": "gpt-6.2-sol"})).json()
        sheet = (await api.get("/api/usage", params={"by": "model", "format": "csv"})).text
        page = (await api.get("/usage?by=model", headers={"accept": "text/html"})).text

    for rows in (*found.values(), split["rows"]):
        assert sum(Decimal(row["cost_usd"] or 0) for row in rows) == 5 * one
    assert {row["subject"]: row["cost_usd"] for row in found["model"]}["nobody-knows"] is None
    assert sum(row["unpriced_tokens"] for row in found["account"]) == 15
    lines = list(csv.DictReader(io.StringIO(sheet)))
    assert [line["cost_usd"] for line in lines] == [f"{5 * one:f}", ""]
    assert f"${(5 * one):.2f}" in page
