"""An audit event of a request: who, from where, under which request id."""

from support.consoles import console_settings, running, script


async def test_the_deed_names_the_request_it_came_with(redis_url: str) -> None:
    async with running(console_settings(redis_url)) as console, script(console) as api:
        made = await api.post("/api/keys", json={"name": "k"})
        (kept,) = (await api.get("/api/audit")).json()["deeds"]

    assert kept["deed"]["request_id"] == made.headers["x-request-id"]
    assert kept["deed"]["key_id"] == made.json()["key"]["id"]
