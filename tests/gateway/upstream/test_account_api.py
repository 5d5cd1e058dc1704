from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from support.account_kinds import BADGE, with_badges
from support.leases import a_credential, an_account

from codex_proapi.commons.codex.endpoints import usage_url
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.runtime.errors import CredentialUnavailable
from codex_proapi.gateway.upstream.account_api import AccountApi
from codex_proapi.simulator import Simulator


class View:
    def credential(self, account_id: Any) -> Any:
        return a_credential(account_id)


class Refresher:
    """Gives the token a test says, or fails."""

    token = ""

    renewed = ""

    async def fresh(self, account_id: Any, *, held: Any = None, rejected: Any = None) -> Any:
        if rejected is not None:
            self.rejected = rejected.access_token
            self.token = self.renewed
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
        self.calls = AccountApi(session, base_url=base_url, identity=Identity(), **parts)


@pytest.fixture
async def scene() -> Any:
    async with Simulator() as sim:
        session = httpx.AsyncClient(trust_env=False, timeout=60)
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
    assert request.headers["version"] == Identity().version
    assert request.headers["originator"] == "codex_cli_rs"
    assert request.headers["x-openai-fedramp"] == "true"


async def test_the_quota_of_an_account_is_told(scene: Any) -> None:
    told = await scene.calls.usage(scene.account)

    assert told is not None
    assert b'"rate_limit"' in told.body


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("bad_gateway", "502"),
        ("unauthorized", "CredentialUnavailable"),
        ("connection_reset", "ReadError"),
    ],
)
async def test_what_cannot_be_had_is_none_logged_and_nobodys_fault(
    scene: Any, fault: str, why: str
) -> None:
    scene.sim.script(fault, on="models", times=None)

    with capture_logs() as lines:
        assert await scene.calls.models(scene.account) is None

    told = [(line["account"], line["path"], line["why"]) for line in lines if "path" in line]
    assert told == [(scene.account.id, "/backend-api/codex/models", why)]


async def test_a_refused_token_is_renewed_once(scene: Any) -> None:
    good, scene.refresher.token = scene.refresher.token, "at_refused"
    scene.refresher.renewed = good

    told = await scene.calls.usage(scene.account)

    assert told is not None
    assert scene.refresher.rejected == "at_refused"
    assert len(scene.sim.requests) == 2


async def test_a_token_that_is_refused_again_is_not_asked_with_a_third_time(scene: Any) -> None:
    scene.refresher.token = scene.refresher.renewed = "at_refused"

    assert await scene.calls.usage(scene.account) is None
    assert len(scene.sim.requests) == 2


async def test_a_login_that_cannot_be_renewed_ends_it(scene: Any) -> None:
    scene.refresher.token = "at_refused"

    assert await scene.calls.usage(scene.account) is None
    assert len(scene.sim.requests) == 1


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


@pytest.mark.parametrize("kind", [BADGE, "bedrock"])
async def test_what_a_kind_has_not_is_not_asked_for(
    scene: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_badges(monkeypatch)
    account = an_account(kind=kind)

    assert await scene.calls.models(account) is None
    assert await scene.calls.usage(account) is None
    assert scene.sim.requests == []


async def test_a_kind_says_how_it_is_asked(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(with_badges(monkeypatch), "has_quota", True)

    assert await scene.calls.usage(an_account(kind=BADGE)) is None  # no bearer: refused

    headers = scene.sim.requests[0].headers
    assert headers["x-badge"].endswith(f"{scene.refresher.token} {Identity().version}")
    assert "authorization" not in headers
    assert "chatgpt-account-id" not in headers
