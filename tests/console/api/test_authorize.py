"""Redirects to the authorization server and back; whole logins are in tests/journeys/test_f5_login.py."""

import pytest
from support.consoles import console_settings, running, script

from codex_proapi.console.api.authorize import own_path


@pytest.mark.parametrize("path", ["/", "/accounts", "/logs?level=error&q=a%20b", "/keys?new=1"])
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *("", "accounts", "//evil.example", "/\\evil.example", "\\\\evil", "https:evil.example"),
        *("https://evil.example", "javascript:alert(1)", "/a\r\nset-cookie: x=1", "/\tevil", "/é"),
        "/" + "x" * 500,
    ],
)
def test_anything_else_leads_nowhere(path: str) -> None:
    assert own_path(path) == ""


async def test_an_unknown_account_cannot_be_renewed(redis_url: str) -> None:
    async with running(console_settings(redis_url)) as console, script(console) as api:
        answer = await api.get("/auth/login", params={"account": "acc_1"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_account")
