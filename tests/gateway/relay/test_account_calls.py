from typing import Any

import httpx
import pytest
from support.leases import a_credential, an_account

from commons.errors import CredentialUnavailable
from gateway.dialects.codex_requests import Identity
from gateway.relay.account_calls import AccountCalls, usage_url
from standalone.simulator import Simulator


class View:
    def credential(self, account_id: Any) -> Any:
        return a_credential(account_id)


class Refresher:
    """Gives the token a test says, or fails."""

    token = ""

    async def fresh(self, account_id: Any, *, held: Any = None) -> Any:
        if not self.token:
            raise CredentialUnavailable("later")
        return a_credential(account_id, access_token=self.token)


class Scene:
    def __init__(self, sim: Any, session: Any, base_url: Any) -> None:
        self.sim = sim
        self.refresher = Refresher()
        self.refresher.token = sim.access_token("ada")
        self.account = an_account(fedramp=True)
        parts: dict[str, Any] = {"view": View(), "refresher": self.refresher}
        self.calls = AccountCalls(session, base_url=base_url, identity=Identity(), **parts)


@pytest.fixture
async def scene() -> Any:
    async with Simulator() as sim:
        session = httpx.AsyncClient(trust_env=False)
        made = Scene(sim, session, sim.base_url)
        workspace = sim.account("ada").workspace
        made.account = an_account(chatgpt_account_id=workspace, fedramp=True)
        yield made
        await session.aclose()


async def test_the_models_of_an_account_come_with_their_etag(scene: Any) -> None:
    told = await scene.calls.models(scene.account)

    assert told is not None
    assert b'"slug"' in told.body
    assert told.etag
    request = scene.sim.requests[-1]
    assert request.headers["version"] == "0.169.0"
    assert request.headers["originator"] == "codex_cli_rs"
    assert request.headers["x-openai-fedramp"] == "true"


async def test_the_quota_of_an_account_is_told(scene: Any) -> None:
    told = await scene.calls.usage(scene.account)

    assert told is not None
    assert b'"rate_limit"' in told.body


@pytest.mark.parametrize("fault", ["bad_gateway", "unauthorized", "connection_reset"])
async def test_what_cannot_be_had_is_none_and_nobodys_fault(scene: Any, fault: str) -> None:
    scene.sim.script(fault, on="models", times=None)

    assert await scene.calls.models(scene.account) is None


async def test_without_a_credential_nothing_is_asked(scene: Any) -> None:
    scene.refresher.token = ""

    assert await scene.calls.models(scene.account) is None
    assert scene.sim.requests == []


@pytest.mark.parametrize(
    ("base", "usage"),
    [
        ("https://chatgpt.com/backend-api/codex", "https://chatgpt.com/backend-api/wham/usage"),
        ("http://127.0.0.1:1/backend-api/codex", "http://127.0.0.1:1/backend-api/wham/usage"),
        ("http://127.0.0.1:1/other", "http://127.0.0.1:1/other/wham/usage"),
    ],
)
def test_the_quota_is_told_beside_the_codex_of_the_base_address(base: Any, usage: Any) -> None:
    assert usage_url(base) == usage
