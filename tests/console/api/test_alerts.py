"""Destinations of alerts over the API: secrets go in and never come out."""

from support.alert_receivers import answer, webhook_receiver
from support.clock import Clock
from support.consoles import console_settings, running, script

from codex_proapi.commons.runtime.settings import LOOPBACK

NOW = 1_795_000_000
SLACK = {"name": "chat", "shape": "slack", "address": "https://hooks.slack.test/T0/topsecret"}


async def test_a_destination_is_made_changed_and_removed_and_its_address_is_never_shown(
    redis_url: str,
) -> None:
    async with (
        running(console_settings(redis_url), clock=Clock(NOW)) as console,
        script(console) as api,
    ):
        made = await api.post("/api/alerts/destinations", json=SLACK)
        path = f"/api/alerts/destinations/{made.json()['destination']['id']}"
        changed = await api.patch(path, json={"name": "team", "kinds": ["pool_dry"]})
        empty = await api.patch(path, json={})
        shown = await api.get("/api/alerts")
        wrong = await api.patch(path, json={"address": "http:///x"})
        gone = await api.delete(path)
        again = await api.delete(path)
        audit = await api.get("/api/audit")

    assert (made.status_code, made.json()["secret"]) == (201, "")
    assert (changed.json()["name"], changed.json()["kinds"]) == ("team", ["pool_dry"])
    assert empty.json() == changed.json()
    assert shown.json()["destinations"] == [changed.json()]
    assert changed.json()["host"] == "hooks.slack.test:443"
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "address")
    assert gone.status_code == 204
    assert (again.status_code, again.json()["error"]["code"]) == (404, "unknown_destination")
    assert "topsecret" not in shown.text + made.text + changed.text + audit.text + wrong.text
    actions = [kept["deed"]["action"] for kept in audit.json()["deeds"]]
    assert actions == [
        *("alert.destination_removed", "alert.destination_changed"),
        *("alert.destination_changed", "alert.destination_made"),
    ]


async def test_a_test_is_sent_at_once_and_its_outcome_is_kept(redis_url: str) -> None:
    settings = console_settings(redis_url, alert_networks=LOOPBACK)
    async with (
        webhook_receiver() as receiver,
        running(settings, clock=Clock(NOW)) as console,
        script(console) as api,
    ):
        body = {"name": "hook", "shape": "json", "address": receiver.url}
        made = (await api.post("/api/alerts/destinations", json=body)).json()
        path = f"/api/alerts/destinations/{made['destination']['id']}/test"
        first = await api.post(path)
        receiver.answers.append(answer(410))
        second = await api.post(path)
        shown = (await api.get("/api/alerts")).json()["destinations"][0]

    assert made["secret"].startswith("whsec_")
    assert made["secret"] not in str(shown)
    assert [(r.status_code, r.json()["code"]) for r in (first, second)] == [
        (200, "delivered"),
        (200, "http_410"),
    ]
    assert receiver.bodies[0]["type"] == "alert.test"
    assert "kind" not in receiver.bodies[0]
    assert shown["last"] == {"code": "http_410", "status": 410, "at": NOW}


async def test_an_address_inside_is_not_reached_unless_allowed(redis_url: str) -> None:
    async with (
        webhook_receiver() as receiver,
        running(console_settings(redis_url), clock=Clock(NOW)) as console,
        script(console) as api,
    ):
        body = {"name": "hook", "shape": "json", "address": receiver.url}
        made = (await api.post("/api/alerts/destinations", json=body)).json()["destination"]
        tried = await api.post(f"/api/alerts/destinations/{made['id']}/test")

    assert tried.json()["code"] == "address_refused"
    assert receiver.requests == []


async def test_there_is_a_bound(redis_url: str) -> None:
    async with (
        running(console_settings(redis_url), clock=Clock(NOW)) as console,
        script(console) as api,
    ):
        answers = [await api.post("/api/alerts/destinations", json=SLACK) for _ in range(21)]

    assert [each.status_code for each in answers] == [201] * 20 + [409]
    assert answers[-1].json()["error"]["code"] == "too_many_destinations"


async def test_a_console_tells_what_an_account_needs(redis_url: str) -> None:
    """The whole way: a revoked account in Redis, a round of the console, a message."""
    settings = console_settings(redis_url, alert_networks=LOOPBACK)
    async with (
        webhook_receiver() as receiver,
        running(settings, clock=Clock(NOW)) as console,
        script(console) as api,
    ):
        body = {"name": "hook", "shape": "feishu", "address": receiver.url, "language": "zh-CN"}
        await api.post("/api/alerts/destinations", json=body)
        await api.patch("/api/settings", json={"alert_backup_days": 3})
        console.parts.alert_loop._clock.pass_(4 * 86_400)  # type: ignore[attr-defined]
        await console.parts.alert_loop.round()
        shown = (await api.get("/api/alerts")).json()["alerts"]

    assert "最近一次备份太旧" in receiver.bodies[0]["content"]["text"]
    assert [each["kind"] for each in shown] == ["backup_old"]
