"""Signing in and out, the first setup, the password, and every session."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import PASSWORD, Browser, console_settings, guarded, running, script

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.app import Console

OTHER = "an entirely different one"


@pytest.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    async with running(guarded(redis_url)) as console:
        yield console


@pytest.fixture
async def browser(console: Console) -> AsyncIterator[Browser]:
    async with Browser(console) as browser:
        await browser.sign_in()
        yield browser


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def told(browser: httpx.AsyncClient) -> list[str]:
    events: list[dict[str, Any]] = (await browser.get("/api/audit")).json()["deeds"]
    return [kept["deed"]["action"] for kept in reversed(events)]


async def test_the_password_opens_and_says_until_when(console: Console) -> None:
    async with Browser(console) as browser:
        before = await browser.learn()
        answer = await browser.sign_in()
        after = await browser.learn()

    assert (before["signed_in"], before["kind"], before["login_asked"]) == (
        False,
        "stranger",
        True,
    )
    assert (answer.status_code, answer.json()) == (201, after)
    assert (after["signed_in"], after["actor"]) == (True, "admin")
    assert after["ends_at"] == Clock().now + 1800


async def test_a_wrong_password_is_refused_and_recorded(console: Console) -> None:
    async with Browser(console) as browser:
        assert code_of(await browser.sign_in("not the password")) == (401, "wrong_password")
        await browser.sign_in()

        assert await told(browser) == ["admin.sign_in_refused", "admin.signed_in"]


async def test_ten_bad_sign_ins_are_too_many_and_the_wait_grows(console: Console) -> None:
    async with Browser(console) as browser:
        await browser.learn()
        answers = [
            await browser.post("/api/session", json={"password": f"wrong number {i}"})
            for i in range(10)
        ]
        good = await browser.post("/api/session", json={"password": PASSWORD})

    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 5
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert code_of(good) == (429, "too_many_attempts")


async def test_another_address_is_not_locked_out(redis_url: str) -> None:
    async with running(guarded(redis_url, host="0.0.0.0")) as console:
        async with Browser(console, peer="203.0.113.9") as attacker:
            for _ in range(6):
                last = await attacker.sign_in("wrong password")
            assert last.status_code == 429
        async with Browser(console, peer="198.51.100.1") as owner:
            assert (await owner.sign_in()).status_code == 201


async def test_limits_hold_on_all_consoles_together(redis_url: str) -> None:
    settings = guarded(redis_url)
    async with (
        running(settings) as first,
        running(settings) as second,
        Browser(first) as here,
        Browser(second) as there,
    ):
        await asyncio.gather(*(each.sign_in("wrong one") for each in (here, there, here, there)))
        await here.sign_in("wrong one")
        assert (await there.sign_in("wrong one")).status_code == 429


async def test_many_tries_at_once_gain_nothing(console: Console) -> None:
    async with Browser(console) as browser:
        await browser.learn()
        answers = await asyncio.gather(
            *(browser.post("/api/session", json={"password": f"wrong {i}"}) for i in range(20))
        )

    assert sorted({answer.status_code for answer in answers}) == [401, 429]
    assert sum(answer.status_code == 401 for answer in answers) == 5


async def test_a_success_takes_the_count_back(console: Console) -> None:
    async with Browser(console) as browser:
        for _ in range(3):
            for _ in range(4):
                await browser.sign_in("wrong one")
            assert (await browser.sign_in()).status_code == 201


async def test_the_password_is_kept_as_argon2id(browser: Browser, redis_client: Redis) -> None:
    kept = await redis_client.hget(keyspace.admin(), "password")

    assert str(kept).startswith("$argon2id$")


async def test_signing_out_ends_the_session_everywhere(console: Console, browser: Browser) -> None:
    sid = browser.cookies["cpa-sid-1455"]
    answer = await browser.delete("/api/session")
    async with script(console) as thief:
        thief.cookies.set("cpa-sid-1455", sid)
        assert code_of(await thief.get("/api/keys")) == (401, "signed_out")

    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]


async def test_every_session_is_listed_and_each_can_be_ended(
    console: Console, browser: Browser
) -> None:
    async with Browser(console, **{"user-agent": "phone\x7f" + "x" * 500}) as phone:
        await phone.sign_in()
        sessions = (await browser.get("/api/sessions")).json()["sessions"]
        assert sorted(each["current"] for each in sessions) == [False, True]
        assert all(len(each["agent"]) <= 200 for each in sessions)
        other = next(each["id"] for each in sessions if not each["current"])

        assert (await browser.delete(f"/api/sessions/{other}")).status_code == 204
        assert code_of(await phone.get("/api/keys")) == (401, "signed_out")
        assert code_of(await browser.delete(f"/api/sessions/{other}")) == (404, "unknown_session")


async def test_signing_out_everywhere_ends_them_all(console: Console, browser: Browser) -> None:
    async with Browser(console) as other:
        await other.sign_in()
        assert (await browser.delete("/api/sessions")).status_code == 204
        for each in (browser, other):
            assert code_of(await each.get("/api/keys")) == (401, "signed_out")


async def test_changing_the_password_asks_for_the_old_one_and_ends_other_sessions(
    console: Console, browser: Browser
) -> None:
    async with Browser(console) as other:
        await other.sign_in()
        wrong = await browser.put("/api/password", json={"password": OTHER, "current": "no"})
        assert code_of(wrong) == (401, "wrong_password")

        right = await browser.put("/api/password", json={"password": OTHER, "current": PASSWORD})
        browser.headers["x-csrf-token"] = right.json()["csrf_token"]
        assert (await browser.get("/api/keys")).status_code == 200
        assert code_of(await other.get("/api/keys")) == (401, "signed_out")
        assert code_of(await other.sign_in()) == (401, "wrong_password")
        assert (await other.sign_in(OTHER)).status_code == 201
    assert await told(browser) == [
        "admin.signed_in",
        "admin.signed_in",
        "admin.password_refused",
        "admin.password_changed",
        "admin.sign_in_refused",
        "admin.signed_in",
    ]


@pytest.mark.parametrize("weak", ["short", "password1234", "aaaaaaaaaaaaaa", "123456789012"])
async def test_a_weak_password_is_refused(browser: Browser, weak: str) -> None:
    answer = await browser.put("/api/password", json={"password": weak, "current": PASSWORD})

    assert code_of(answer) == (400, "weak_password")


async def test_a_password_in_the_environment_is_only_the_first(redis_url: str) -> None:
    async with running(guarded(redis_url)) as console, Browser(console) as browser:
        await browser.sign_in()
        await browser.put("/api/password", json={"password": OTHER, "current": PASSWORD})
    async with running(guarded(redis_url)) as console, Browser(console) as browser:
        assert code_of(await browser.sign_in()) == (401, "wrong_password")
        assert (await browser.sign_in(OTHER)).status_code == 201


async def test_the_first_password_is_set_with_the_printed_token(redis_url: str) -> None:
    lines: list[str] = []
    settings = console_settings(redis_url, host="0.0.0.0")
    async with running(settings, announce=lines.append) as console, Browser(console) as browser:
        await browser.learn()
        token = lines[-1].rpartition(" ")[2]
        answer = await browser.post("/api/setup", json={"token": token, "password": PASSWORD})
        browser.headers["x-csrf-token"] = answer.json()["csrf_token"]

        assert answer.status_code == 201
        assert (await browser.get("/api/keys")).status_code == 200
        assert await told(browser) == ["admin.set_up"]
        again = await browser.post("/api/setup", json={"token": token, "password": OTHER})
        assert code_of(again) == (409, "already_set_up")


async def test_of_two_setups_at_once_exactly_one_wins(redis_url: str) -> None:
    lines: list[str] = []
    settings = console_settings(redis_url, host="0.0.0.0")
    async with (
        running(settings, announce=lines.append) as first,
        running(settings, announce=lines.append) as second,
        script(first) as here,
        script(second) as there,
    ):
        tokens = [line.rpartition(" ")[2] for line in lines if "token" in line]
        assert len(set(tokens)) == 2
        answers = await asyncio.gather(
            here.post("/api/setup", json={"token": tokens[0], "password": PASSWORD}),
            there.post("/api/setup", json={"token": tokens[1], "password": OTHER}),
            there.post("/api/setup", json={"token": tokens[0], "password": OTHER}),
        )

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]


async def test_a_wrong_setup_token_is_refused_and_limited(redis_url: str) -> None:
    settings = console_settings(redis_url, host="0.0.0.0")
    async with running(settings) as console, script(console) as api:
        answers = [
            await api.post("/api/setup", json={"token": f"guess-{i}", "password": PASSWORD})
            for i in range(7)
        ]

    assert code_of(answers[0]) == (401, "wrong_setup_token")
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2


async def test_a_setup_token_ends_after_a_day(redis_url: str) -> None:
    lines: list[str] = []
    clock = Clock()
    settings = console_settings(redis_url, host="0.0.0.0")
    async with running(settings, clock=clock, announce=lines.append) as console:
        clock.pass_(24 * 3600)
        async with script(console) as api:
            token = lines[-1].rpartition(" ")[2]
            answer = await api.post("/api/setup", json={"token": token, "password": PASSWORD})

    assert code_of(answer) == (401, "wrong_setup_token")


async def test_nothing_is_printed_where_a_password_is_there(redis_url: str) -> None:
    lines: list[str] = []
    async with running(guarded(redis_url, host="0.0.0.0"), announce=lines.append):
        pass
    async with running(console_settings(redis_url), announce=lines.append):
        pass

    assert lines == ["browser logins return to http://localhost:1455/auth/callback"] * 2


async def test_without_a_password_there_is_nothing_to_sign_in_to(redis_url: str) -> None:
    async with running(console_settings(redis_url)) as console, script(console) as api:
        answer = await api.post("/api/session", json={"password": PASSWORD})

    assert code_of(answer) == (409, "setup_needed")
