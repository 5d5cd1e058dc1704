"""The backend answers with another model than was sent: seen everywhere, and avoided where that is asked."""

from typing import Any

import pytest
from support.gateways import a_response, stage

from codex_proapi.commons.cluster.live_settings import LiveSettingsStore, ModelSubstitution
from codex_proapi.commons.owner_terms.terms import OwnerTerms, ReservedPercent
from codex_proapi.simulator import Simulator
from codex_proapi.simulator.state.faults import Fault

LUNA = Fault(answered_model="gpt-5.6-luna")


@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_by_default_it_is_the_clients_answer_and_the_account_rests_for_the_model(
    redis_url: str, transport: Any
) -> None:
    async with stage(redis_url, "ada", "ben", upstream_transport=transport) as play:
        play.sim.script(LUNA, account="ada", times=None)

        answers = [await play.chat(f"say word{n}") for n in range(4)]

        assert [answer.status_code for answer in answers] == [200] * 4
        records = await play.records(4)
        assert [record.substituted for record in records].count(True) == 1
        assert play.asked("ada") == 1
        await play.until_cooling({"ada gpt-5.5": "substituted"})
        metrics = (await play.client.get("/metrics")).text
        assert 'sent_model="gpt-5.5"} 1.0' in metrics.replace('answered_model="gpt-5.6-luna",', "")


async def test_a_conversation_of_another_model_stays_where_it_is(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script(LUNA, account="ada", model="gpt-5.5", times=None)
        await play.chat("say a")
        await play.chat("say b")
        await play.until_cooling({"ada gpt-5.5": "substituted"})

        for n in range(4):
            await play.chat(f"say other{n}", model="gpt-6-sol")

        assert play.asked("ada") == 3


@pytest.mark.parametrize("transport", ["http", "websocket"])
@pytest.mark.parametrize("stream", [False, True])
async def test_where_it_is_asked_another_account_answers_instead(
    redis_url: str, stream: bool, transport: Any
) -> None:
    changes: Any = {"model_substitution": ModelSubstitution.RETRY, "upstream_transport": transport}
    async with stage(redis_url, "ada", "ben", **changes) as play:
        play.sim.script(LUNA, account="ada", times=None)

        for n in range(4):
            answer = await play.client.post(
                "/v1/responses", json=a_response(f"say {n}", stream=stream)
            )
            assert answer.status_code == 200
            assert "gpt-5.6-luna" not in answer.text

        records = await play.records(4)
        assert not any(record.substituted for record in records)
        [dropped] = [r for r in records if len(r.attempts) > 1]
        assert [(a.verdict, a.code) for a in dropped.attempts] == [
            ("next_account", "model_substituted"),
            ("committed", ""),
        ]


async def test_where_all_accounts_substitute_the_client_still_gets_an_answer(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", "ben", "cleo") as play:
        play.sim.script(LUNA, times=None)
        await LiveSettingsStore(play.redis).change({"model_substitution": "retry"})
        options = play.replicas[0].gateway.services.options
        await play.until(lambda: options.model_substitution is ModelSubstitution.RETRY)

        answers = [await play.chat(f"say {n}") for n in range(5)]

        assert [answer.status_code for answer in answers] == [200] * 5
        # Once all of them rest for the model an answer is dropped for nobody.
        assert [len(record.attempts) for record in await play.records(5)] == [2, 2, 1, 1, 1]


async def test_where_the_others_have_no_quota_the_dropped_accounts_answer_is_taken(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        await LiveSettingsStore(play.redis).change({"model_substitution": "retry"})
        options = play.replicas[0].gateway.services.options
        await play.until(lambda: options.model_substitution is ModelSubstitution.RETRY)
        play.sim.script(LUNA, account="ada", times=None)
        play.sim.script("usage_limit_reached", account="ben", times=None, resets_in=3600)

        answers = [await play.chat(f"say {n}") for n in range(3)]

        assert [answer.status_code for answer in answers] == [200] * 3
        # The first answer alone is dropped: later ones are asked for knowing that nobody else can.
        assert play.asked("ada") == 4


async def test_a_dropped_answer_never_leads_to_an_account_that_its_owner_has_closed(
    redis_url: str,
) -> None:
    backend = Simulator()
    ben = backend.account("ben")
    ben.plan, ben.used_percent, ben.percent_per_request = "plus", 60.0, 0.0
    changes: Any = {"model_substitution": ModelSubstitution.RETRY, "backend": backend}
    async with stage(redis_url, "ada", "ben", **changes) as play:
        accounts = {each.name: each.id for each in await play.accounts.list()}
        share = ReservedPercent(five_hour=50, weekly=50)
        await play.accounts.set_terms(accounts["ben"], OwnerTerms(reserved_percent=share))
        play.sim.script(LUNA, account="ada", times=None)

        answers = [await play.chat(f"say {n}") for n in range(3)]

        assert [answer.status_code for answer in answers] == [200] * 3
        assert (play.asked("ada"), play.asked("ben")) == (4, 0)
        assert [len(each.attempts) for each in await play.records(3)] == [2, 1, 1]
