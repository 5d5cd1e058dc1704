"""Where the accounts are nearly out of quota, keys share what is left instead of racing for it."""

from typing import Any

from support.gateways import stage

from codex_proapi.commons.api_keys.fair_shares import AHEAD

GREEDY = "write 5 words " + "word " * AHEAD
"""A prompt that costs a good part of what a key may be ahead."""


async def ask(team: Any, secret: str, content: str, *, replica: int = 0) -> Any:
    return await team.client.post(
        f"{team.replicas[replica].url}/v1/chat/completions",
        json={"model": "gpt-5.5", "messages": [{"role": "user", "content": content}]},
        headers={"authorization": f"Bearer {secret}"},
    )


async def test_a_greedy_key_leaves_the_rest_of_a_scarce_pool_to_the_others(redis_url: str) -> None:
    async with stage(redis_url, "ada") as team:
        await team.add_replica()
        team.sim.accounts[0].used_percent = 95
        (_, greedy), (_, calm) = await team.make_key(), await team.make_key()
        for replica in range(2):
            assert (await ask(team, calm, "say hello", replica=replica)).status_code == 200
        await team.until(lambda: all(map(knows_its_quota, team.replicas)))
        assert (await ask(team, calm, "say hello")).status_code == 200

        answers = []
        for n in range(4):  # what one cost is known when it is settled
            answers.append(await ask(team, greedy, GREEDY, replica=n % 2))
            await team.logged(answers[-1].headers["x-request-id"])
        refused = answers[-1]

        assert answers[0].status_code == 200
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert "had its share" in refused.json()["error"]["message"]
        assert (await ask(team, calm, "say hello", replica=1)).status_code == 200
        counted = [
            each.gateway.metrics.limit_refusals.labels("fair_share")._value.get()
            for each in team.replicas
        ]
        assert sum(counted) == sum(each.status_code == 429 for each in answers)


def knows_its_quota(replica: Any) -> bool:
    """Whether a replica has read what it was told: answers' figures are taken in every few seconds."""
    gateway = replica.gateway
    accounts = gateway.stores.view.accounts
    return all(
        any(
            window.used > 90
            for window in gateway.upstream.quota_tracker.windows(account, "gpt-5.5")
        )
        for account in accounts
    )
