"""F4: an access token ends, and no client notices."""

import asyncio

from support.gateways import a_chat, stage

from codex_proapi.commons.accounts.model import AccountState


async def test_fifty_requests_on_five_replicas_with_one_expired_account_make_one_token_call(
    redis_url: str,
) -> None:
    async with stage(redis_url) as play:
        await play.log_in("ada", expires_in=-60)
        for _ in range(4):
            await play.add_replica()

        answers = await asyncio.gather(
            *(
                play.client.post(
                    f"{play.replicas[n % 5].url}/v1/chat/completions", json=a_chat(f"say word{n}")
                )
                for n in range(50)
            )
        )

        assert {a.status_code for a in answers} == {200}
        assert len(play.sim.token_calls) == 1


async def test_a_refused_token_is_renewed_once_and_the_same_account_answers(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        await play.until_polled()
        play.sim.invalidate_access_tokens("ada")

        answer = await play.chat()

        assert answer.status_code == 200
        assert [call.reason for call in play.sim.token_calls] == ["unauthorized_recovery"]
        [record] = await play.records()
        assert [a.verdict for a in record.attempts] == ["same_account_fresh", "committed"]


async def test_a_dead_login_waits_for_its_owner_while_others_carry_on(redis_url: str) -> None:
    async with stage(redis_url) as play:
        [ada, _] = await play.log_in("ada", "ben")
        play.sim.end_login("ada")

        answers = [await play.chat(f"say word{n}") for n in range(4)]

        assert {a.status_code for a in answers} == {200}
        assert await play.state_of(ada) is AccountState.REVOKED
        assert len(play.sim.token_calls) == 1


async def test_while_the_token_server_is_away_a_token_that_still_lives_is_used(
    redis_url: str,
) -> None:
    async with stage(redis_url) as play:
        await play.log_in("ada", expires_in=200)
        play.sim.script("bad_gateway", on="token", times=None)

        answer = await play.chat()

        assert answer.status_code == 200


async def test_without_a_usable_credential_another_account_answers(redis_url: str) -> None:
    async with stage(redis_url) as play:
        await play.log_in("ada", expires_in=-60)
        await play.log_in("ben")
        play.sim.script("bad_gateway", on="token", times=None)

        answers = [await play.chat(f"say word{n}") for n in range(2)]

        assert {a.status_code for a in answers} == {200}
        assert play.asked("ada") == 0
        await play.until_cooling({"ada": "credential"})
