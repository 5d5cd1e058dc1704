import time
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from support.gateways import KEY
from support.leases import a_lease
from support.logins import a_login

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import AccountState, CooldownReason
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.policy.retry import Change, decide
from codex_proapi.gateway.pool.health.circuit_breakers import FAULTS, CircuitBreakers
from codex_proapi.gateway.pool.health.outcomes import OutcomeRecorder


class Notes:
    """A ledger that only remembers."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self.answered: list[Any] = []

    def tell(self, entry: Any) -> None:
        self.entries.append(entry)

    def succeed(self, account_id: Any, *, begun_at: float) -> None:
        del begun_at
        self.answered.append(account_id)


class Scene:
    def __init__(self, redis: Any) -> None:
        self.store = AccountStore(redis, CredentialCipher((KEY,)))
        self.cooldowns = CooldownStore(redis)
        self.notes = cast("Any", Notes())
        self.metrics = Metrics(CollectorRegistry())
        self.outcomes = OutcomeRecorder(
            store=self.store,
            cooldowns=self.cooldowns,
            breakers=CircuitBreakers(redis, self.cooldowns, clock=time.time),
            ledger=self.notes,
            metrics=self.metrics,
            clock=time.time,
        )

    async def log_in(self) -> Any:
        account = await self.store.add(a_login(exp=int(time.time()) + 86_400))
        credential = await self.store.credential(account.id)
        return a_lease(account.id, began=time.time(), credential=credential)

    async def record_refusal(self, lease: Any, refusal: Any, *, tried: Any = ()) -> Any:
        decision = decide(refusal, now=time.time(), tried=tried)
        return await self.outcomes.record_refusal(lease, refusal, decision, model="gpt-5.5")

    async def cooling(self, account_id: Any) -> Any:
        found = await self.cooldowns.all([account_id], now=time.time())
        return found.get(account_id, {})

    @property
    def failures(self) -> Any:
        return self.metrics.redis_errors.labels("learn")._value.get()


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client)


async def test_a_spent_quota_cools_the_account_until_its_reset_and_is_told(scene: Any) -> None:
    refusal = Refusal(status=429, type="usage_limit_reached", resets_in=500)

    await scene.record_refusal(a_lease("acc_a"), refusal)

    cooldown = (await scene.cooling("acc_a"))[""]
    assert cooldown.reason is CooldownReason.QUOTA
    assert abs(cooldown.until - time.time() - 500) < 60
    [entry] = scene.notes.entries
    assert (entry.event, entry.account, entry.code) == ("account.cooled", "acc_a", "spent")
    assert entry.detail["reason"] == "quota"


async def test_a_shorter_reason_beside_a_longer_one_changes_nothing_and_is_not_told(
    scene: Any,
) -> None:
    await scene.record_refusal(a_lease("acc_a"), Refusal(status=429, type="usage_limit_reached"))
    await scene.record_refusal(a_lease("acc_a"), Refusal(status=429, code="slow_down"))

    assert (await scene.cooling("acc_a"))[""].reason is CooldownReason.QUOTA
    assert len(scene.notes.entries) == 1


async def test_a_model_outside_the_plan_cools_for_that_model(scene: Any) -> None:
    words = "The 'gpt-5.5' model is not supported when using Codex with a ChatGPT account."

    await scene.record_refusal(a_lease("acc_a"), Refusal(status=400, message=words))

    assert list(await scene.cooling("acc_a")) == ["gpt-5.5"]


async def test_what_is_still_tried_teaches_nothing_yet(scene: Any) -> None:
    await scene.record_refusal(a_lease("acc_a"), Refusal(status=401, code="token_revoked"))

    assert await scene.cooling("acc_a") == {}


async def test_a_dead_session_is_marked_and_its_token_ends(scene: Any) -> None:
    lease = await scene.log_in()

    await scene.record_refusal(
        lease, Refusal(status=401, code="token_revoked"), tried=[Change.CREDENTIAL]
    )

    account = await scene.store.get(lease.account.id)
    assert account is not None
    assert (account.state, account.state_reason) == (AccountState.REVOKED, "token_revoked")
    assert account.token_expires_at <= time.time()
    assert [entry.event for entry in scene.notes.entries] == ["account.revoked", "account.cooled"]


async def test_a_mark_on_a_credential_that_was_renewed_meanwhile_is_void(scene: Any) -> None:
    lease = await scene.log_in()
    credential = lease.credential
    await scene.store.save_credential(credential, expected=credential.generation)

    await scene.record_refusal(lease, Refusal(status=403, code="account_deactivated"))

    account = await scene.store.get(lease.account.id)
    assert account is not None
    assert account.state is AccountState.ACTIVE
    assert scene.notes.entries == []


async def test_faults_open_the_breaker_and_an_answer_closes_it(scene: Any) -> None:
    broken = Refusal(status=502)

    opened = [
        await scene.record_refusal(a_lease("acc_a", began=time.time()), broken)
        for _ in range(FAULTS)
    ]

    assert opened == [False] * (FAULTS - 1) + [True]
    assert (await scene.cooling("acc_a"))[""].reason is CooldownReason.TRANSIENT
    scene.outcomes.record_success(a_lease("acc_a", began=time.time()))
    assert scene.notes.answered == ["acc_a"]


async def test_an_answer_begun_before_the_breaker_opened_proves_nothing(scene: Any) -> None:
    early = a_lease("acc_a", began=time.time())
    for _ in range(FAULTS):
        await scene.outcomes.record_break_off(a_lease("acc_a", began=time.time()), "cut")

    scene.outcomes.record_success(early)

    assert scene.notes.answered == []


async def test_an_account_without_a_usable_credential_is_passed_over_for_a_moment(
    scene: Any,
) -> None:
    await scene.outcomes.record_no_credential("acc_a", code="credential_unavailable")

    cooldown = (await scene.cooling("acc_a"))[""]
    assert cooldown.reason is CooldownReason.CREDENTIAL
    # A renewal takes seconds: nobody is sent to sign in for it, and it is looked at again soon.
    assert cooldown.until - cooldown.since <= 5

    await scene.outcomes.record_no_credential("acc_b", code="credential_revoked")
    cooldown = (await scene.cooling("acc_b"))[""]
    assert cooldown.until - cooldown.since == pytest.approx(30)


async def test_while_redis_is_away_nothing_is_learnt_and_that_is_counted(scene: Any) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("away")

    scene.cooldowns.cool = scene.cooldowns.fault = away

    assert not await scene.record_refusal(a_lease("acc_a"), Refusal(status=429))
    await scene.outcomes.record_break_off(a_lease("acc_a"), "cut")
    await scene.outcomes.record_no_credential("acc_a", code="credential_unavailable")

    assert scene.failures == 3


async def test_another_models_answer_lets_the_account_rest_for_that_model_and_is_told(
    scene: Any,
) -> None:
    lease = await scene.log_in()

    await scene.outcomes.record_substitution(lease, sent="gpt-5.5", answered="gpt-5.6-luna")

    found = (await scene.cooldowns.all([lease.account.id], now=time.time()))[lease.account.id]
    cooldown = found["gpt-5.5"]
    assert (cooldown.reason, cooldown.code) == (CooldownReason.SUBSTITUTED, "gpt-5.6-luna")
    assert 1100 < cooldown.until - time.time() <= 1200
    [entry] = scene.notes.entries
    assert (entry.code, entry.model) == ("model_substituted", "gpt-5.5")
    assert entry.detail["answered_model"] == "gpt-5.6-luna"
