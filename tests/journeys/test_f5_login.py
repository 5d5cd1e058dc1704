"""F5: an account comes in by four ways; what one console begins, another finishes."""

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs
from support.clock import Clock
from support.consoles import Browser, guarded, running

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.app import Console
from codex_proapi.simulator import Fault, Simulator


class Scene(NamedTuple):
    """Two consoles with one Redis, an administrator's browser at each, and OpenAI."""

    sim: Simulator
    first: Console
    second: Console
    here: Browser
    there: Browser
    clock: Clock


@pytest.fixture
async def scene(redis_url: str) -> AsyncIterator[Scene]:
    clock = Clock()
    async with Simulator(clock=clock) as sim:
        provided = {"codex_auth_url": sim.auth_url, "codex_base_url": sim.base_url}
        settings = guarded(redis_url, **provided)
        async with (
            running(settings, clock=clock) as first,
            running(settings, clock=clock) as second,
            Browser(first) as here,
            Browser(second) as there,
        ):
            await here.sign_in()
            there.cookies = here.cookies
            there.headers["x-csrf-token"] = here.headers["x-csrf-token"]
            yield Scene(sim, first, second, here, there, clock)


async def accounts(browser: Browser) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await browser.get("/api/accounts")).json()["accounts"]
    return found


def path_of(url: str) -> str:
    """What a browser asks the console for when it is sent to this address."""
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == "http://localhost:1455"
    return f"{parts.path}?{parts.query}"


async def leave(browser: Browser, **params: str) -> str:
    answer = await browser.get("/auth/login", params=params)
    assert answer.status_code == 302
    return str(answer.headers["location"])


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


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


async def test_a_device_code_is_polled_by_any_console_at_the_server_s_pace(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "device"})).json()
    assert (begun["standing"], begun["interval"]) == ("waiting", 5)
    assert begun["verification_url"] == f"{scene.sim.auth_url}/codex/device"
    poll = f"/api/logins/{begun['id']}/poll"

    assert (await scene.there.post(poll)).json()["standing"] == "waiting"
    assert polls(scene.sim) == 0  # too early for the server's interval
    await interval_passes(scene, begun["id"])
    assert (await scene.there.post(poll)).json()["standing"] == "waiting"
    assert (await scene.here.post(poll)).json()["standing"] == "waiting"
    assert polls(scene.sim) == 1

    scene.sim.approve_device(begun["user_code"], "cleo")
    await interval_passes(scene, begun["id"])
    done = (await scene.here.post(poll)).json()
    (account,) = await accounts(scene.there)
    assert (done["standing"], done["account"]) == ("done", account["id"])
    assert account["source"] == "device"
    assert (await scene.there.post(poll)).json() == done


async def test_slow_down_makes_the_interval_longer(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "device"})).json()
    scene.sim.script(Fault(status=400, body={"error": "slow_down"}), on="device_token")
    await interval_passes(scene, begun["id"])
    await scene.here.post(f"/api/logins/{begun['id']}/poll")

    redis = scene.first.redis
    assert 9 <= await redis.ttl(keyspace.login_poll(begun["id"])) <= 10


async def test_a_denied_device_login_ends(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "device"})).json()
    scene.sim.deny_device(begun["user_code"])
    await interval_passes(scene, begun["id"])
    ended = (await scene.there.post(f"/api/logins/{begun['id']}/poll")).json()

    assert (ended["standing"], ended["code"]) == ("failed", "access_denied")


async def test_a_device_code_runs_out(scene: Scene) -> None:
    begun = (await scene.here.post("/api/logins", json={"way": "device"})).json()
    scene.clock.pass_(901)
    ended = (await scene.here.post(f"/api/logins/{begun['id']}/poll")).json()

    assert (ended["standing"], ended["code"]) == ("failed", "device_code_expired")


async def test_device_login_that_is_switched_off_says_so(scene: Scene) -> None:
    scene.sim.script(Fault(status=404, body={"detail": "Not Found"}), on="usercode")
    answer = await scene.here.post("/api/logins", json={"way": "device"})

    assert code_of(answer) == (400, "device_login_disabled")


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


async def test_no_token_and_no_state_is_ever_readable_in_redis(
    scene: Scene, redis_client: Redis
) -> None:
    url = await leave(scene.here)
    state = parse_qs(urlsplit(url).query)["state"][0]
    await scene.here.post("/api/logins", json={"way": "device"})
    before = await dump(redis_client)
    await scene.here.get(path_of(scene.sim.authorize(url, "ada")))
    after = await dump(redis_client)

    assert state not in before + after
    assert "eyJ" not in after
    assert "rt_" not in after
    assert scene.here.cookies["cpa-sid-1455"] not in before + after


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


def polls(sim: Simulator) -> int:
    return sum(each.path.endswith("/deviceauth/token") for each in sim.requests)


async def interval_passes(scene: Scene, login_id: str) -> None:
    """Redis counts the interval itself; here it is over at once."""
    await scene.first.redis.delete(keyspace.login_poll(login_id))


async def dump(redis: Redis) -> str:
    """Everything in Redis as text."""
    found: list[Any] = []
    async for name in redis.scan_iter():
        match str(await redis.type(name)):
            case "string":
                found.append((name, await redis.get(name)))
            case "hash":
                found.append((name, await redis.hgetall(name)))
            case "set":
                found.append((name, sorted(await redis.smembers(name))))
            case "zset":
                found.append((name, await redis.zrange(name, 0, -1)))
            case "stream":
                found.append((name, await redis.xrange(name)))
            case other:
                pytest.fail(f"{name} is a {other}")
    return json.dumps(found)


async def test_no_secret_reaches_a_log_a_metric_an_error_or_the_audit(
    scene: Scene, redis_client: Redis
) -> None:
    content = scene.sim.auth_json("ada")
    secrets = [
        *(str(token) for token in content["tokens"].values() if isinstance(token, str)),
        *("wrong-password-canary", "cpadm-canary-0123456789", scene.here.cookies["cpa-sid-1455"]),
    ]
    with capture_logs() as lines:
        answers = [
            await scene.here.post("/api/accounts", json={"auth_json": content}),
            await scene.here.post("/api/accounts", json={"auth_json": json.dumps(content)[:-9]}),
            await scene.here.post("/api/session", json={"password": "wrong-password-canary"}),
            await scene.here.get(
                "/api/keys", headers={"authorization": "Bearer cpadm-canary-0123456789"}
            ),
            await scene.here.get("/api/sessions"),
        ]
        account = answers[0].json()["id"]
        answers += [
            await scene.here.post(f"/api/accounts/{account}/test", json={"answer": True}),
            await scene.here.post(f"/api/accounts/{account}/refresh"),
            await scene.here.get("/api/audit"),
            await scene.here.get("/api/logs"),
            await scene.here.get("/metrics"),
        ]
        held = await scene.first.parts.accounts.credential(account)
        assert held is not None
        secrets += [held.access_token, held.refresh_token]
        await scene.here.delete(f"/api/accounts/{account}")
    everything = f"{lines} {await dump(redis_client)} " + " ".join(a.text for a in answers)

    workspace = content["tokens"]["account_id"]
    for secret in secrets:
        assert secret == workspace or secret[:24] not in everything


async def test_a_redirect_of_the_authorization_server_is_not_followed(scene: Scene) -> None:
    elsewhere = {"location": f"{scene.sim.auth_url}/codex/device"}
    scene.sim.script(Fault(status=307, body={"error": "x"}, headers=elsewhere), on="token")
    back = path_of(scene.sim.authorize(await leave(scene.here), "ada"))

    assert code_of(await scene.here.get(back))[0] in {400, 502}
    assert [each.path for each in scene.sim.requests if each.path == "/codex/device"] == []
