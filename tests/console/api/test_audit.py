"""The audit over the API, page by page."""

from support.consoles import console_settings, running, script


async def test_deeds_come_newest_first_and_page_by_page(redis_url: str) -> None:
    async with running(console_settings(redis_url)) as console, script(console) as api:
        for number in range(5):
            await api.post("/api/keys", json={"name": f"k{number}"})
        first = (await api.get("/api/audit", params={"limit": 3})).json()
        rest = (await api.get("/api/audit", params={"before": first["before"]})).json()

    names = [kept["deed"]["after"]["name"] for kept in (*first["deeds"], *rest["deeds"])]
    assert names == ["k4", "k3", "k2", "k1", "k0"]
    assert rest["before"] == ""
    event = first["deeds"][0]["deed"]
    assert (event["actor"], event["ip"]) == ("local", "127.0.0.1")
    assert event["request_id"].startswith("req_")
