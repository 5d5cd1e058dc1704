"""The page of alerts: destinations with their outcome, and what is open."""

from support.console_pages import NOW, filled_console

from codex_proapi.commons.cluster.upstream_drift import UpstreamDriftStore
from codex_proapi.console.alerts.alert_store import AlertStore, Outcome


async def test_without_a_destination_the_page_says_what_it_would_do(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        text = await site.read("/alerts")

    assert "Nobody is told yet" in text
    assert "Open now" not in text


async def test_destinations_are_shown_with_their_last_try_and_never_their_address(
    redis_url: str,
) -> None:
    async with filled_console(redis_url) as site:
        await site.browser.learn()
        body = {
            "name": "<b>Chat</b>",
            "shape": "feishu",
            "kinds": ["pool_dry"],
            "secret": "s3cret",
            "address": "https://open.feishu.test/hook/topsecret",
        }
        made = await site.browser.post("/api/alerts/destinations", json=body)
        outcome = Outcome(code="timeout", at=int(NOW))
        await AlertStore(site.console.redis).note(made.json()["destination"]["id"], outcome)
        page = (await site.get("/alerts")).text
        text = await site.read("/alerts")

    assert "&lt;b&gt;Chat&lt;/b&gt;" in page
    assert "topsecret" not in page
    assert "s3cret" not in page
    assert "Feishu / Lark · open.feishu.test:443 · signed No account can be asked" in text
    assert "Last try: no answer in time" in text


async def test_what_is_open_is_listed_by_its_words(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        await site.browser.learn()
        body = {"name": "x", "shape": "slack", "address": "https://127.0.0.1/"}
        await site.browser.post("/api/alerts/destinations", json=body)
        drift = UpstreamDriftStore(site.console.redis)
        await drift.note([("field", "response_odd")], now=int(NOW))
        await site.console.parts.alert_loop.round()
        text = await site.read("/alerts")

    assert "An account needs signing in" in text
    assert "OpenAI's backend sends something new response_odd" in text
    assert "A quota window is nearly empty team-build@example.com" in text
    assert "Last try: the address is inside the network" in text
