"""Whether an answer has a reasoning summary: the client says, else its key, else the setting."""

from typing import Any

import pytest
from support.gateways import stage

from codex_proapi.commons.cluster.live_settings import LiveSettingsStore, ReasoningSummary

REFUSED = {"include_reasoning": False}
"""What a client says that wants none."""


@pytest.mark.parametrize(
    ("of_key", "wish", "expected"),
    [
        ("", {}, "auto"),
        ("detailed", {}, "detailed"),
        ("none", {}, None),
        ("detailed", REFUSED, None),
        ("none", {"reasoning": {"enabled": True}}, "auto"),
        ("", {"reasoning": {"summary": "concise"}}, "concise"),
    ],
)
async def test_the_client_says_else_its_key_else_the_setting(
    redis_url: str, of_key: str, wish: dict[str, Any], expected: str | None
) -> None:
    async with stage(redis_url, "ada", reasoning_summary=ReasoningSummary.AUTO) as play:
        _, secret = await play.make_key(reasoning_summary=of_key)

        answer = await play.chat(**wish, headers={"authorization": f"Bearer {secret}"})

        assert answer.status_code == 200, answer.text
        assert play.sim.turns[-1].body.get("reasoning", {}).get("summary") == expected


async def test_the_setting_changes_while_the_gateway_runs(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        await play.chat()
        assert "summary" not in play.sim.turns[-1].body.get("reasoning", {})
        options = play.replicas[0].gateway.services.options

        await LiveSettingsStore(play.redis).change({"reasoning_summary": ReasoningSummary.AUTO})
        await play.until(lambda: options.reasoning_summary is ReasoningSummary.AUTO)
        await play.chat()

        assert play.sim.turns[-1].body["reasoning"]["summary"] == "auto"
