"""The authorization server as a client meets it: every way in, every way out, and its faults."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from codex_proapi.simulator import Simulator
from codex_proapi.simulator.state.accounts import CLIENT_ID
from codex_proapi.simulator.state.logins import challenge_of

VERIFIER = "v" * 43
REDIRECT = "http://localhost:1455/auth/callback"
QUERY = {
    "response_type": "code",
    "client_id": CLIENT_ID,
    "redirect_uri": REDIRECT,
    "scope": "openid profile email offline_access",
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
    "state": "s" * 43,
}


def url_of(sim: Simulator, **changes: Any) -> Any:
    query = {name: value for name, value in {**QUERY, **changes}.items() if value}
    return str(httpx.URL(f"{sim.auth_url}/oauth/authorize", params=query))


def query_of(url: Any) -> Any:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def exchange(http: httpx.AsyncClient, sim: Simulator, code: Any, **changes: Any) -> Any:
    form = {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        **changes,
    }
    return await http.post(f"{sim.auth_url}/oauth/token", data=form)


async def refresh(http: httpx.AsyncClient, sim: Simulator, token: Any, **changes: Any) -> Any:
    body = {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_reason": "proactive_expiry",
        "refresh_token": token,
        **changes,
    }
    return await http.post(f"{sim.auth_url}/oauth/token", json=body)


def refresh_token(sim: Simulator, account: Any = "ada") -> Any:
    return sim.auth_json(account)["tokens"]["refresh_token"]


async def test_a_person_consents_and_the_code_becomes_tokens(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    page = await http.get(url_of(sim))
    assert "ada@example.com (plus)" in page.text

    decided = await http.get(
        f"{sim.auth_url}/oauth/authorize/decide", params={**QUERY, "login": "ada"}
    )
    back = query_of(decided.headers["location"])
    answer = await exchange(http, sim, back["code"])

    assert decided.headers["location"].startswith(REDIRECT + "?")
    assert back["state"] == QUERY["state"]
    assert answer.json()["refresh_token"].startswith("rt_")
    assert answer.json()["expires_in"] == 864_000


async def test_a_person_may_say_no(sim: Simulator, http: httpx.AsyncClient) -> None:
    decided = await http.get(
        f"{sim.auth_url}/oauth/authorize/decide", params={**QUERY, "login": "deny"}
    )

    back = query_of(decided.headers["location"])
    assert (back["error"], back["error_description"]) == (
        "access_denied",
        "missing_codex_entitlement",
    )


WRONG = [
    ("redirect_uri", "http://localhost:8888/auth/callback"),
    ("redirect_uri", "http://localhost:1455/auth/callback/"),
    ("redirect_uri", "https://localhost:1455/auth/callback"),
    ("client_id", "app_other"),
    ("response_type", "token"),
    ("code_challenge_method", "plain"),
    ("code_challenge", "short"),
    ("state", "short"),
    ("scope", "profile"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
async def test_a_wrong_login_fails_before_its_page(
    sim: Simulator, http: httpx.AsyncClient, name: Any, value: Any
) -> None:
    page = await http.get(url_of(sim, **{name: value}))
    decided = await http.get(
        f"{sim.auth_url}/oauth/authorize/decide", params={**QUERY, name: value, "login": "ada"}
    )

    assert page.status_code == decided.status_code == 400
    assert "authorize_hydra_invalid_request" in page.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("port", [1455, 1457])
async def test_the_registered_addresses_are_accepted(
    sim: Simulator, http: httpx.AsyncClient, host: Any, port: Any
) -> None:
    page = await http.get(url_of(sim, redirect_uri=f"http://{host}:{port}/auth/callback"))

    assert page.status_code == 200


async def test_the_page_may_be_scripted_to_fail(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("invalid_grant", on="authorize")

    assert (await http.get(url_of(sim))).status_code == 400


async def test_a_code_needs_its_verifier(sim: Simulator, http: httpx.AsyncClient) -> None:
    back = query_of(sim.authorize(url_of(sim), "ada"))

    answer = await exchange(http, sim, back["code"], code_verifier="w" * 43)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_a_code_is_exchanged_by_form_only(sim: Simulator, http: httpx.AsyncClient) -> None:
    back = query_of(sim.authorize(url_of(sim), "ada"))
    body = {"grant_type": "authorization_code", "client_id": CLIENT_ID, "code": back["code"]}

    answer = await http.post(f"{sim.auth_url}/oauth/token", json=body)

    assert answer.json()["error"] == "unsupported_grant_type"


async def test_a_strange_client_gets_nothing(sim: Simulator, http: httpx.AsyncClient) -> None:
    assert (await refresh(http, sim, "x", client_id="app_other")).json()[
        "error"
    ] == "invalid_client"


async def test_a_refresh_rotates_and_is_recorded(sim: Simulator, http: httpx.AsyncClient) -> None:
    token = refresh_token(sim)

    first = await refresh(http, sim, token)
    second = await refresh(http, sim, token)

    assert first.json()["refresh_token"] != token
    assert second.json()["error"]["code"] == "refresh_token_reused"
    assert [(c.account, c.reason, c.status, c.code) for c in sim.token_calls] == [
        ("ada", "proactive_expiry", 200, ""),
        ("ada", "proactive_expiry", 401, "refresh_token_reused"),
    ]


async def test_a_refresh_may_come_as_a_form_with_a_scope(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    form = {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_token": refresh_token(sim),
        "scope": "openid profile email",
    }

    answer = await http.post(f"{sim.auth_url}/oauth/token", data=form)

    assert answer.status_code == 200


CODES = [
    ("refresh_token_expired", 401),
    ("refresh_token_reused", 401),
    ("refresh_token_invalidated", 401),
    ("app_session_terminated", 401),
    ("invalid_grant", 400),
    ("server_error", 500),
    ("plain_429", 429),
]


@pytest.mark.parametrize(("name", "status"), CODES)
async def test_every_refusal_of_a_refresh_can_be_scripted(
    sim: Simulator, http: httpx.AsyncClient, name: Any, status: Any
) -> None:
    sim.script(name, on="token", account="ada")
    token = refresh_token(sim)

    assert (await refresh(http, sim, token)).status_code == status
    assert (await refresh(http, sim, token)).status_code == 200


async def test_an_html_answer_can_be_scripted(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("cloudflare", on="token")

    answer = await refresh(http, sim, refresh_token(sim))

    assert answer.headers["content-type"].startswith("text/html")


async def test_fields_may_be_absent_and_then_the_old_token_stays(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    token = refresh_token(sim)
    sim.script("access_only", on="token")

    answer = await refresh(http, sim, token)

    assert "refresh_token" not in answer.json()
    assert "id_token" not in answer.json()
    assert (await refresh(http, sim, token)).status_code == 200


async def test_a_connection_may_be_lost_before_and_after_the_work(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    before, after = refresh_token(sim), refresh_token(sim)
    sim.script("connection_reset", on="token")
    sim.script("answer_lost", on="token")

    for token in (before, after):
        with pytest.raises(httpx.TransportError):
            await refresh(http, sim, token)

    assert (await refresh(http, sim, before)).status_code == 200
    assert (await refresh(http, sim, after)).json()["error"]["code"] == "refresh_token_reused"
    assert [call.status for call in sim.token_calls] == [0, 0, 200, 401]


async def test_a_slow_refresh_is_done_though_the_caller_has_left(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    token = refresh_token(sim)
    sim.script("slow_headers", on="token", delay=0.3)

    with pytest.raises(httpx.TimeoutException):
        await http.post(
            f"{sim.auth_url}/oauth/token",
            json={"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": token},
            timeout=0.1,
        )

    assert (await refresh(http, sim, token)).json()["error"]["code"] == "refresh_token_reused"


async def test_a_revoked_login_is_over(sim: Simulator, http: httpx.AsyncClient) -> None:
    token = refresh_token(sim)
    body = {"token": token, "token_type_hint": "refresh_token", "client_id": CLIENT_ID}

    answer = await http.post(f"{sim.auth_url}/oauth/revoke", json=body)

    assert answer.status_code == 200
    assert (await refresh(http, sim, token)).json()["error"]["code"] == "refresh_token_invalidated"


async def test_a_revocation_may_fail(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("server_error", on="revoke")

    assert (await http.post(f"{sim.auth_url}/oauth/revoke", json={"token": "x"})).is_error


DEVICE = "/api/accounts/deviceauth"


async def begin(http: httpx.AsyncClient, sim: Simulator) -> Any:
    answer = await http.post(f"{sim.auth_url}{DEVICE}/usercode", json={"client_id": CLIENT_ID})
    return answer.json()


async def poll(http: httpx.AsyncClient, sim: Simulator, begun: Any) -> Any:
    body = {"device_auth_id": begun["device_auth_id"], "user_code": begun["user_code"]}
    return await http.post(f"{sim.auth_url}{DEVICE}/token", json=body)


async def test_a_device_login_from_code_to_tokens(sim: Simulator, http: httpx.AsyncClient) -> None:
    begun = await begin(http, sim)
    pending = await poll(http, sim, begun)
    page = await http.get(f"{sim.auth_url}/codex/device?user_code={begun['user_code']}")
    form = {"user_code": begun["user_code"], "login": "cleo"}
    await http.post(f"{sim.auth_url}/codex/device", data=form)
    done = (await poll(http, sim, begun)).json()

    answer = await exchange(
        http,
        sim,
        done["authorization_code"],
        code_verifier=done["code_verifier"],
        redirect_uri="https://auth.openai.com/deviceauth/callback",
    )

    assert begun["interval"] == "5"
    assert (pending.status_code, pending.json()["error"]["code"]) == (
        403,
        "deviceauth_authorization_unknown",
    )
    assert begun["user_code"] in page.text
    assert answer.status_code == 200


async def test_a_device_login_may_be_denied(sim: Simulator, http: httpx.AsyncClient) -> None:
    begun = await begin(http, sim)
    form = {"user_code": begun["user_code"], "login": "deny"}
    await http.post(f"{sim.auth_url}/codex/device", data=form)

    assert (await poll(http, sim, begun)).json()["error"]["code"] == "access_denied"


async def test_an_unknown_device_code_is_told(sim: Simulator, http: httpx.AsyncClient) -> None:
    form = {"user_code": "ABCD-12345", "login": "ada"}

    assert (await http.post(f"{sim.auth_url}/codex/device", data=form)).status_code == 404


async def test_device_logins_may_be_off_slow_or_late(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    begun = await begin(http, sim)
    sim.script("device_not_enabled", on="usercode")
    sim.script("device_slow_down", on="device_token")
    sim.script("deviceauth_expired", on="device_token")

    off = await http.post(f"{sim.auth_url}{DEVICE}/usercode", json={"client_id": CLIENT_ID})
    codes = [(await poll(http, sim, begun)).json()["error"]["code"] for _ in range(3)]

    assert off.status_code == 404
    assert codes == ["slow_down", "deviceauth_expired", "deviceauth_authorization_unknown"]


async def test_a_device_login_needs_the_client_id(sim: Simulator, http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{sim.auth_url}{DEVICE}/usercode", content=b"{")

    assert answer.status_code == 401


async def test_an_access_key_tells_whose_it_is(sim: Simulator, http: httpx.AsyncClient) -> None:
    url = f"{sim.auth_url}/api/accounts/v1/user-auth-credential/whoami"
    ada = sim.account("ada")

    answer = await http.get(url, headers={"authorization": f"Bearer {ada.access_key}"})

    assert answer.json() == {
        "email": "ada@example.com",
        "chatgpt_user_id": ada.user_id,
        "chatgpt_account_id": ada.workspace,
        "chatgpt_plan_type": "plus",
        "chatgpt_account_is_fedramp": False,
    }
    assert (await http.get(url)).status_code == 401
    login = sim.access_token("ada")
    assert (await http.get(url, headers={"authorization": f"Bearer {login}"})).status_code == 401


async def test_a_deleted_access_key_and_scripted_answers_of_whoami(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    url = f"{sim.auth_url}/api/accounts/v1/user-auth-credential/whoami"
    ada = sim.account("ada")
    headers = {"authorization": f"Bearer {ada.access_key}"}
    sim.script("access_only", on="whoami", absent=("email",))
    sim.script("token_error", on="whoami")

    assert "email" not in (await http.get(url, headers=headers)).json()
    assert (await http.get(url, headers=headers)).status_code == 500
    ada.access_key_number += 1
    assert (await http.get(url, headers=headers)).status_code == 401
