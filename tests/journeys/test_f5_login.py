"""F5: an account comes in by four ways; what one console begins, another finishes."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from redis.asyncio import Redis
from support.consoles import Browser, guarded, running
from support.login_scene import Scene, accounts, code_of, leave, path_of

from codex_proapi.simulator import Fault, Simulator


async def test_the_authorize_address_is_the_one_the_real_client_sends(scene: Scene) -> None:
    url = urlsplit(await leave(scene.here))

    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{scene.sim.auth_url}/oauth/authorize"
    assert {name: query.pop(name, "") for name in ("state", "code_challenge")}.keys()
    assert query == {
        "response_type": "code",
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
        "redirect_uri": "http://localhost:1455/auth/callback",
        "scope": "openid profile email offline_access",
        "code_challenge_method": "S256",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "originator": "codex_cli_rs",
    }


async def test_a_redirect_begun_on_one_console_finishes_on_the_other(scene: Scene) -> None:
    back = scene.sim.authorize(await leave(scene.here), "ada")
    answer = await scene.there.get(path_of(back))

    (account,) = await accounts(scene.here)
    assert (account["email"], account["source"]) == (scene.sim.account("ada").email, "browser")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/accounts?signed_in={account['id']}"


async def test_a_callback_works_once(scene: Scene) -> None:
    back = path_of(scene.sim.authorize(await leave(scene.here), "ada"))
    await scene.here.get(back)
    again = await scene.there.get(back)

    assert code_of(again) == (400, "login_unknown")
    assert len(scene.sim.token_calls) == 1


async def test_a_callback_is_refused_in_another_session(scene: Scene) -> None:
    back = path_of(scene.sim.authorize(await leave(scene.here), "ada"))
    async with Browser(scene.second) as other:
        await other.sign_in()
        swapped = await other.get(back)

    assert code_of(swapped) == (400, "login_other_session")
    assert await accounts(scene.here) == []
    assert scene.sim.token_calls == []


async def test_a_callback_is_refused_after_ten_minutes(scene: Scene) -> None:
    back = path_of(scene.sim.authorize(await leave(scene.here), "ada"))
    scene.clock.pass_(601)

    assert code_of(await scene.here.get(back)) == (400, "login_unknown")
    assert scene.sim.token_calls == []


async def test_a_callback_needs_a_session_at_all(scene: Scene) -> None:
    back = path_of(scene.sim.authorize(await leave(scene.here), "ada"))
    async with Browser(scene.first) as stranger:
        assert code_of(await stranger.get(back)) == (401, "signed_out")
    assert len(await accounts(scene.here)) == 0


async def test_a_browser_with_a_refused_login_is_shown_it_among_the_accounts(scene: Scene) -> None:
    url = await leave(scene.here)
    denied = path_of(
        scene.sim._authorization.callback_url(
            {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()},
            login="deny",
        )
    )
    answer = await scene.here.get(
        denied, headers={"accept": "text/html", "sec-fetch-mode": "navigate"}
    )

    where = urlsplit(answer.headers["location"])
    assert (answer.status_code, where.path) == (303, "/accounts")
    assert parse_qs(where.query)["login_error"] == ["missing_codex_entitlement"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("error=access_denied&state={state}", "access_denied"),
        (
            "error=access_denied&error_description=missing_codex_entitlement&state={state}",
            "missing_codex_entitlement",
        ),
        (
            "error=invalid_request&error_description=authorize_hydra_invalid_request&state={state}",
            "authorize_hydra_invalid_request",
        ),
        ("error=server_error&state={state}", "login_refused"),
        ("code=ac_1&state=another", "login_unknown"),
        ("code=ac_1", "not_a_callback_url"),
        ("", "not_a_callback_url"),
    ],
)
async def test_a_return_without_a_login_says_why(scene: Scene, query: str, code: str) -> None:
    url = await leave(scene.here)
    state = parse_qs(urlsplit(url).query)["state"][0]

    assert code_of(await scene.here.get(f"/auth/callback?{query.format(state=state)}")) == (
        400,
        code,
    )


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"status": 403, "body": "<html>no</html>"}, 400, "exchange_forbidden"),
        (
            {"status": 403, "body": {"error": {"code": "unsupported_country"}}},
            400,
            "exchange_forbidden",
        ),
        ({"status": 400, "body": {"error": "invalid_grant"}}, 400, "exchange_refused"),
        (
            {"status": 401, "body": {"error": {"code": "missing_codex_entitlement"}}},
            400,
            "missing_codex_entitlement",
        ),
        ({"status": 503, "body": "later"}, 502, "authorization_unreachable"),
        ({"drop": "after"}, 502, "authorization_unreachable"),
    ],
)
async def test_a_refused_exchange_says_why(
    scene: Scene, fault: dict[str, Any], status: int, code: str
) -> None:
    scene.sim.script(Fault(**fault), on="token")
    back = path_of(scene.sim.authorize(await leave(scene.here), "ada"))

    assert code_of(await scene.here.get(back)) == (status, code)
    assert await accounts(scene.here) == []


async def test_the_next_page_is_one_of_ours(scene: Scene) -> None:
    url = await leave(scene.here, next="/keys?new=1")
    assert (
        (await scene.there.get(path_of(scene.sim.authorize(url, "ada"))))
        .headers["location"]
        .startswith("/keys?new=1&signed_in=acc_")
    )

    for hostile in (
        "//evil.example",
        "/\\evil.example",
        "https:evil.example",
        "\\evil",
        "javascript:1",
    ):
        url = await leave(scene.here, next=hostile)
        answer = await scene.here.get(path_of(scene.sim.authorize(url, "ada")))
        assert answer.headers["location"].startswith("/accounts?")


async def test_a_pasted_callback_finishes_on_another_console(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "pasted"})).json()
    back = scene.sim.authorize(begun["authorize_url"], "ben")
    answer = await scene.there.post("/api/logins/callback", json={"url": f"  {back}\n"})
    stands = (await scene.here.get(f"/api/logins/{begun['id']}")).json()

    assert answer.status_code == 201
    assert (answer.json()["email"], answer.json()["source"]) == (
        scene.sim.account("ben").email,
        "pasted",
    )
    assert (stands["standing"], stands["account"]) == ("done", answer.json()["id"])


@pytest.mark.parametrize("at_home", [True, False])
async def test_a_pasted_login_works_wherever_the_console_is_reached(
    redis_url: str, at_home: bool
) -> None:
    """OpenAI knows one address of the public client id; PUBLIC_URL and proxies change nothing."""
    address = "http://localhost:1455" if at_home else "https://codex.example"
    async with Simulator() as sim:
        sim.world.redirects = frozenset({"http://localhost:1455/auth/callback"})
        provided = {"codex_auth_url": sim.auth_url, "codex_base_url": sim.base_url}
        provided |= {} if at_home else {"public_url": address}
        async with (
            running(guarded(redis_url, **provided)) as console,
            Browser(console, base=address) as browser,
        ):
            await browser.sign_in()
            begun = (await browser.post("/api/logins", json={"way": "pasted"})).json()
            back = sim.authorize(begun["authorize_url"], "ada")
            made = await browser.post("/api/logins/callback", json={"url": back})

    assert begun["redirect_uri"] == "http://localhost:1455/auth/callback"
    assert back.startswith("http://localhost:1455/auth/callback?")
    assert (made.status_code, made.json()["source"]) == (201, "pasted")


async def test_a_pasted_login_may_come_back_by_itself(scene: Scene) -> None:
    """Where the registered address is the console, the browser arrives before anything is pasted."""
    begun = (await scene.here.post("/api/logins", json={"way": "pasted"})).json()
    back = scene.sim.authorize(begun["authorize_url"], "ada")
    answer = await scene.here.get(path_of(back))
    outcome = (await scene.here.get(f"/api/logins/{begun['id']}")).json()

    (account,) = await accounts(scene.here)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/accounts?signed_in={account['id']}"
    assert (outcome["standing"], outcome["account"]) == ("done", account["id"])


@pytest.mark.parametrize(
    "pasted",
    ["", "hello", "http://localhost:1455/auth/callback", "x" * 9000, "?code=1", "?state=2"],
)
async def test_what_is_no_callback_address_is_refused(scene: Scene, pasted: str) -> None:
    answer = await scene.here.post("/api/logins/callback", json={"url": pasted})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {"not_a_callback_url", "invalid_value"}


async def test_a_login_belongs_to_the_session_that_began_it(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "device"})).json()
    async with Browser(scene.second) as other:
        await other.sign_in()
        for method, path in (("GET", ""), ("POST", "/poll"), ("DELETE", "")):
            answer = await other.request(method, f"/api/logins/{begun['id']}{path}")
            assert code_of(answer) == (404, "login_unknown")


async def test_a_login_given_up_cannot_be_finished(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "pasted"})).json()
    back = scene.sim.authorize(begun["authorize_url"], "ada")
    assert (await scene.there.delete(f"/api/logins/{begun['id']}")).status_code == 204

    answer = await scene.here.post("/api/logins/callback", json={"url": back})
    assert code_of(answer) == (400, "login_unknown")


async def test_an_account_is_renewed_in_place_and_no_other_takes_its_seat(scene: Scene) -> None:
    added = await scene.here.post("/api/accounts", json={"auth_json": scene.sim.auth_json("ada")})
    ada = added.json()["id"]
    await scene.here.patch(f"/api/accounts/{ada}", json={"name": "Our Ada", "weight": 3})

    begun = (await scene.here.post("/api/logins", json={"way": "pasted", "account": ada})).json()
    wrong = scene.sim.authorize(begun["authorize_url"], "ben")
    refused = await scene.here.post("/api/logins/callback", json={"url": wrong})
    assert code_of(refused) == (409, "other_identity")
    assert [account["id"] for account in await accounts(scene.here)] == [ada]

    url = await leave(scene.here, account=ada)
    assert parse_qs(urlsplit(url).query)["prompt"] == ["login"]
    await scene.there.get(path_of(scene.sim.authorize(url, "ada")))
    (account,) = await accounts(scene.here)
    assert (account["id"], account["name"], account["weight"]) == (ada, "Our Ada", 3.0)


async def test_removing_an_account_logs_it_out(scene: Scene) -> None:
    added = await scene.here.post("/api/accounts", json={"auth_json": scene.sim.auth_json("ada")})
    await scene.there.delete(f"/api/accounts/{added.json()['id']}")

    revoked = [each.body for each in scene.sim.requests if each.path == "/oauth/revoke"]
    assert [body["token_type_hint"] for body in revoked] == ["refresh_token"]
    assert await accounts(scene.here) == []


async def test_each_login_leaves_one_record(scene: Scene, redis_client: Redis) -> None:
    url = await leave(scene.here)
    back = path_of(scene.sim.authorize(url, "ada"))
    await scene.here.get(back)
    await scene.here.get(back)

    deeds = (await scene.here.get("/api/audit")).json()["deeds"]
    told = [(kept["deed"]["action"], kept["deed"].get("code", "")) for kept in deeds]
    assert told == [
        ("login.failed", "login_unknown"),
        ("login.finished", ""),
        ("admin.signed_in", ""),
    ]


async def test_a_redirect_of_the_authorization_server_is_not_followed(scene: Scene) -> None:
    elsewhere = {"location": f"{scene.sim.auth_url}/codex/device"}
    scene.sim.script(Fault(status=307, body={"error": "x"}, headers=elsewhere), on="token")
    back = path_of(scene.sim.authorize(await leave(scene.here), "ada"))

    assert code_of(await scene.here.get(back))[0] in {400, 502}
    assert [each.path for each in scene.sim.requests if each.path == "/codex/device"] == []
