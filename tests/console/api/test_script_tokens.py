"""Admin tokens over the API: shown once, listed without their secret, revoked."""

from support.clock import Clock
from support.consoles import console_settings, running, script

NOW = 1_795_000_000


async def test_a_token_is_shown_once_and_revoked(redis_url: str) -> None:
    async with (
        running(console_settings(redis_url), clock=Clock(NOW)) as console,
        script(console) as api,
    ):
        made = await api.post("/api/tokens", json={"name": " backup "})
        token, secret = made.json()["token"], made.json()["secret"]
        listed = await api.get("/api/tokens")
        late = await api.post("/api/tokens", json={"name": "late", "expires_at": NOW})
        gone = await api.delete(f"/api/tokens/{token['id']}")
        again = await api.delete(f"/api/tokens/{token['id']}")
        audit = await api.get("/api/audit")

    assert (made.status_code, token["name"], token["created_at"]) == (201, "backup", NOW)
    assert listed.json() == {"tokens": [token]}
    assert secret not in listed.text + audit.text
    assert (late.status_code, late.json()["error"]["param"]) == (400, "expires_at")
    assert gone.status_code == 204
    assert (again.status_code, again.json()["error"]["code"]) == (404, "unknown_admin_token")
    assert [kept["deed"]["action"] for kept in audit.json()["deeds"]] == [
        "admin.token_revoked",
        "admin.token_made",
    ]
