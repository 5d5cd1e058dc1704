"""Accounts by a personal access token serve like logins, on every way, until OpenAI refuses the token."""

import asyncio
import time
from typing import Any

import pytest
from support.gateways import Stage, a_chat, a_response, stage

from codex_proapi.commons.accounts.model import PERSONAL_TOKEN, AccountState, NewAccount


async def add_token(play: Stage, name: str) -> str:
    simulated = play.sim.account(name)
    account = await play.accounts.add(
        NewAccount(
            kind=PERSONAL_TOKEN,
            chatgpt_account_id=simulated.workspace,
            chatgpt_user_id=simulated.user_id,
            fedramp=simulated.fedramp,
            access_token=simulated.access_key,
            name=name,
            plan=simulated.plan,
            created_at=int(time.time()),
        )
    )
    return account.id


def whoamis(play: Stage) -> int:
    return sum(request.path.endswith("/whoami") for request in play.sim.requests)


@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_each_call_names_the_token_its_workspace_and_its_region(
    redis_url: str, transport: Any
) -> None:
    async with stage(redis_url, upstream_transport=transport) as play:
        play.sim.account("ada").fedramp = True
        await add_token(play, "ada")
        await play.add_replica(upstream_transport=transport)
        polled = {"models", "usage"}  # by the second replica, which finds it at its start
        await play.until(lambda: {r.path.split("/")[-1] for r in play.sim.requests} >= polled)

        answers = [
            await play.chat(model="gpt-6-sol"),
            await play.client.post("/v1/responses", json=a_response(stream=True)),
        ]

        assert [answer.status_code for answer in answers] == [200, 200]
        ada = play.sim.account("ada")
        asked = [r for r in play.sim.requests if r.path.startswith("/backend-api/")]
        assert {r.path.rsplit("/", 1)[-1] for r in asked} >= {"responses", "models", "usage"}
        for received in asked:
            if received.method == "WEBSOCKET":  # a frame, which has no headers
                continue
            assert received.headers["authorization"] == f"Bearer {ada.access_key}"
            assert received.headers["chatgpt-account-id"] == ada.workspace
            assert received.headers["x-openai-fedramp"] == "true"
        assert whoamis(play) == 0
        assert play.sim.token_calls == []


async def test_a_deleted_token_is_asked_about_once_by_five_replicas_and_others_carry_on(
    redis_url: str,
) -> None:
    async with stage(redis_url) as play:
        ada = await add_token(play, "ada")
        await play.log_in("ben")
        for _ in range(4):
            await play.add_replica()
        play.sim.account("ada").access_key_number += 1

        answers = await asyncio.gather(
            *(
                play.client.post(
                    f"{play.replicas[n % 5].url}/v1/chat/completions", json=a_chat(f"say word{n}")
                )
                for n in range(20)
            )
        )

        assert {answer.status_code for answer in answers} == {200}
        assert await play.state_of(ada) is AccountState.REVOKED
        assert whoamis(play) == 1
        assert play.sim.token_calls == []


async def test_a_refusal_that_whoami_does_not_confirm_is_tried_once_more(redis_url: str) -> None:
    async with stage(redis_url) as play:
        ada = await add_token(play, "ada")
        await play.until_polled()
        play.sim.script("token_expired")

        answer = await play.chat()

        assert answer.status_code == 200
        assert whoamis(play) == 1
        assert await play.state_of(ada) is AccountState.ACTIVE


async def test_a_token_in_place_of_a_refused_one_serves_at_once(redis_url: str) -> None:
    async with stage(redis_url) as play:
        ada = await add_token(play, "ada")
        play.sim.account("ada").access_key_number += 1
        refused = await play.chat()

        assert await add_token(play, "ada") == ada
        answer = await play.chat()

        assert (refused.status_code, answer.status_code) == (503, 200)
