"""F3: until the commit point a refusal is tried elsewhere or told honestly; only its own account pays."""

import asyncio
import time
from typing import Any

import pytest
from support.gateways import (
    events_of,
    stage,
    text_of,
)

from codex_proapi.commons.accounts.model import AccountState, Cooldown, CooldownReason
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.usage.exchange_record import Ending

# What goes wrong with ada: how often she is asked, and why she is passed over afterwards.
RESCUED = [
    ("usage_limit_reached", 1, {"ada": "quota"}),
    ("usage_not_included", 1, {"ada": "entitlement"}),
    ("insufficient_quota", 1, {"ada": "quota"}),
    ("credit_balance_exhausted", 1, {"ada": "quota"}),
    ("rate_limit_exceeded", 1, {"ada": "rate"}),
    ("slow_down", 1, {"ada": "rate"}),
    ("plain_429", 1, {"ada": "rate"}),
    ("unsupported_model", 1, {"ada gpt-5.5": "entitlement"}),
    ("no_entitlement", 1, {"ada": "entitlement"}),
    ("account_deactivated", 1, {}),
    ("account_deactivated_403", 1, {}),
    ("deactivated_workspace", 1, {}),
    ("unauthorized", 2, {"ada": "credential"}),
    ("token_invalidated", 2, {"ada": "credential"}),
    ("server_error", 2, {}),
    ("bad_gateway", 2, {}),
    ("edge_520", 2, {}),
    ("overloaded", 2, {}),
    ("request_timeout", 2, {}),
    ("failed", 2, {}),
    ("error_event", 2, {}),
    ("overloaded_in_stream", 2, {}),
    ("usage_limit_in_stream", 1, {"ada": "quota"}),
    ("rate_limit_in_stream", 1, {"ada": "rate"}),
    ("slow_down_in_stream", 1, {"ada": "rate"}),
    # The first may come over a kept connection that ends at once: sent once more on a new one.
    ("connection_reset", 3, {}),
    ("answer_lost", 3, {}),
    ("truncated", 2, {}),
    ("reset", 2, {}),
]


OWN = [
    ("context_length_exceeded", 1, 400, "context_length_exceeded"),
    ("invalid_value", 1, 400, "invalid_value"),
    ("invalid_function_parameters", 1, 400, "invalid_function_parameters"),
    ("invalid_prompt", 1, 400, "invalid_prompt"),
    ("cyber_policy", 1, 400, "cyber_policy"),
    ("newer_version_required", 1, 400, "client_too_old"),
    ("too_large", 1, 413, "request_too_large"),
    ("unprocessable", 1, 400, None),
    ("model_not_found", 2, 404, "model_not_found"),
    ("unsupported_parameter", 2, 400, None),
]


@pytest.mark.parametrize(("fault", "calls", "cooling"), RESCUED)
async def test_another_account_answers_and_the_client_sees_nothing(
    redis_url: str, fault: str, calls: int, cooling: Any
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        changes: Any = {"cut_after": 200} if fault in {"truncated", "reset"} else {}
        play.sim.script(fault, account="ada", times=None, **changes)

        answers = [await play.chat(f"say word{n}") for n in range(2)]

        assert [a.status_code for a in answers] == [200, 200], [a.text for a in answers]
        assert play.asked("ada") == calls
        [rescued] = [r for r in await play.records(2) if len(r.attempts) > 1]
        assert rescued.ending is Ending.WHOLE
        assert [a.verdict for a in rescued.attempts][-1] == "committed"
        await play.until_cooling(cooling)


@pytest.mark.parametrize(("fault", "calls", "status", "code"), OWN)
async def test_a_clients_own_mistake_is_tried_on_one_account(
    redis_url: str, fault: str, calls: int, status: int, code: str | None
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script(fault, times=None)

        answer = await play.chat()

        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert len(play.sim.turns) == calls
        assert len({turn.account for turn in play.sim.turns}) == 1
        await play.until_cooling({})


async def test_a_failed_login_is_marked_and_the_others_carry_on(redis_url: str) -> None:
    async with stage(redis_url) as play:
        [ada, _] = await play.log_in("ada", "ben")
        play.sim.account("ada").deactivated = True

        answers = [await play.chat(f"say word{n}") for n in range(3)]

        assert [a.status_code for a in answers] == [200, 200, 200]
        assert await play.state_of(ada) is AccountState.DEACTIVATED
        attempts = [a.account for record in await play.records(3) for a in record.attempts]
        assert attempts.count(ada) == 1


async def test_when_every_quota_is_spent_the_client_learns_until_when_without_asking_upstream(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("usage_limit_reached", account="ada", times=None, resets_in=7200)
        play.sim.script("usage_limit_reached", account="ben", times=None, resets_in=3600)

        first = await play.chat()
        second = await play.chat()

        for answer in (first, second):
            error = answer.json()["error"]
            assert answer.status_code == 429
            assert "retry-after" not in answer.headers
            assert answer.headers["x-should-retry"] == "false"
            assert (error["type"], error["code"]) == ("usage_limit_reached", "rate_limit_exceeded")
            assert 3500 < error["resets_in_seconds"] <= 3600
            assert abs(error["resets_at"] - time.time() - 3600) < 60
            assert error["plan_type"] in {"plus", "pro"}
        assert len(play.sim.turns) == 2


async def test_a_short_limit_of_every_account_names_a_short_wait(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("rate_limit_exceeded", times=None, retry_after=20)

        answers = [await play.chat(), await play.chat()]

        for answer in answers:
            assert answer.status_code == 429
            assert answer.json()["error"]["code"] == "rate_limit_exceeded"
            assert 1 <= int(answer.headers["retry-after"]) <= 20
            assert "try again in" in answer.json()["error"]["message"]
        assert len(play.sim.turns) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_short_limit_of_every_account_is_waited_for(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    # A busy machine may lose seconds on the way: the test waits as long as it needs.
    monkeypatch.setattr("codex_proapi.gateway.exchange.answer.response_writer.LONGEST_WAIT", 60.0)
    async with stage(redis_url, "ada", "ben", "cleo", commit_patience=60) as play:
        for name in ("ada", "ben", "cleo"):
            play.sim.script("rate_limit_exceeded", account=name, retry_after=1)

        answer = await play.chat(stream=stream)

        assert answer.status_code == 200
        text = text_of(events_of(answer.content)) if stream else answer.json()["choices"][0]
        assert "hello" in str(text)
        assert len(play.sim.turns) == 4


async def test_who_waits_goes_on_as_soon_as_the_pool_changes(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_proapi.gateway.exchange.answer.response_writer.LONGEST_WAIT", 7200.0)
    async with stage(redis_url, "ada", commit_patience=7200) as play:
        play.sim.script("rate_limit_exceeded", retry_after=600)
        waiting = asyncio.ensure_future(play.chat())
        await play.until_cooling({"ada": "rate"})

        [ada] = await play.accounts.list()
        await play.cooldowns.clear(ada.id)

        assert (await asyncio.wait_for(waiting, 120)).status_code == 200


async def test_a_wait_that_might_end_inside_a_200_is_not_begun(redis_url: str) -> None:
    async with stage(redis_url, "ada", commit_patience=9) as play:
        play.sim.script("rate_limit_exceeded", times=None, retry_after=8)

        answer = await play.chat(stream=True)

        assert (answer.status_code, len(play.sim.turns)) == (429, 1)
        assert 1 <= int(answer.headers["retry-after"]) <= 8


async def test_at_most_three_accounts_are_asked(redis_url: str) -> None:
    async with stage(redis_url) as play:
        for name in ("dan", "eve"):
            play.sim.accounts.append(type(play.sim.account("ada"))(name=name))
        await play.log_in("ada", "ben", "cleo", "dan", "eve")
        play.sim.script("usage_limit_reached", times=None)

        answer = await play.chat()

        assert len({turn.account for turn in play.sim.turns}) == 3
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"


async def test_trouble_with_an_account_never_looks_like_a_bad_key(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("unauthorized", times=None)

        answer = await play.chat()

        assert answer.status_code == 503
        assert answer.json()["error"]["type"] == "server_error"


async def test_a_challenge_page_blames_no_account_and_pauses_our_address(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("cloudflare", times=None)

        answers = [await play.chat() for _ in range(3)]

        assert [each.status_code for each in answers] == [503, 503, 503]
        assert len(play.sim.turns) == 4, "one request alone does not pause it, the second does"
        await play.until_cooling({})
        assert int(answers[-1].headers["retry-after"]) <= 60


async def test_challenge_pages_for_one_request_alone_leave_all_others_alone(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("cloudflare", times=3)

        assert (await play.chat("what a firewall dislikes")).status_code == 503
        assert (await play.chat("say hello")).status_code == 200

        assert not play.replicas[0].gateway.upstream.egress.paused


async def test_the_last_account_is_never_taken_out_for_transient_faults(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("bad_gateway", times=12)

        bad = [await play.chat(f"say word{n}") for n in range(6)]
        good = await play.chat()

        assert {a.status_code for a in bad} == {502}
        assert good.status_code == 200
        await play.until_cooling({})


async def test_five_faults_in_a_row_open_the_breaker_and_one_probe_closes_it(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", "ben", routing=Routing.ROUND_ROBIN) as play:
        play.sim.script("bad_gateway", account="ada", times=5)

        for n in range(8):
            assert (await play.chat(f"say word{n}")).status_code == 200

        await play.until_cooling({"ada": "transient"})
        assert play.asked("ada") == 5


async def test_a_retry_budget_keeps_a_storm_small(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("overloaded", times=None)

        answers = await asyncio.gather(*(play.chat(f"say word{n}") for n in range(30)))

        assert [(a.status_code, a.text) for a in answers if a.status_code != 503] == []
        assert len(play.sim.turns) < 60


async def test_an_answer_on_an_account_ends_its_credential_cooldown(redis_url: str) -> None:
    async with stage(redis_url) as play:
        [ada] = await play.log_in("ada")
        now = time.time()
        shaky = Cooldown(until=now + 30, reason=CooldownReason.TRANSIENT, since=now)
        await play.cooldowns.cool(ada, shaky)

        answer = await play.chat()

        assert answer.status_code == 200
        await play.until(lambda: not play.replicas[0].gateway.stores.ledger)
        await play.until_cooling({})


async def test_a_bare_402_ends_no_account_for_good(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        error = {"message": "Payment required.", "type": "billing_error", "code": None}
        play.sim.script("no_entitlement", refusal="", status=402, body={"error": error}, times=1)

        first = await play.chat()
        second = await play.chat()

        assert (first.status_code, second.status_code) == (503, 503)
        assert int(second.headers["retry-after"]) <= 60
        assert second.json()["error"]["code"] == "upstream_unavailable"
        assert await play.state_of((await play.records())[0].attempts[0].account) is (
            AccountState.ACTIVE
        )


async def test_a_403_that_two_accounts_give_is_the_requests_own(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben", "cleo") as play:
        body = {"detail": {"code": "request_blocked", "message": "no"}}
        play.sim.script("no_entitlement", refusal="", status=403, body=body, times=2)

        first = await play.chat()
        second = await play.chat("say more")

        assert (first.status_code, second.status_code) == (503, 200)
        await play.until_cooling({})


@pytest.mark.parametrize("body", ["", "<html>no</html>", {"error": {"message": "Not found."}}])
async def test_a_404_that_names_no_model_is_the_backends(redis_url: str, body: Any) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("no_entitlement", refusal="", status=404, body=body, times=None)

        answer = await play.chat()

        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "server_error")
        assert "retry-after" in answer.headers
