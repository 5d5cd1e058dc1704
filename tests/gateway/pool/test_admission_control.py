"""One snapshot admits a request: by the key's current terms, its limits and its fair share."""

import time
from typing import Any

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.gateways import KEY
from support.selecting import REQUEST, Scene

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.fair_shares import ACTIVE_SECONDS, AHEAD, FairShare
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import ApiKey, KeyStore
from codex_proapi.commons.balancing.candidates import Window
from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.auth.authenticator import Authenticated, Authenticator
from codex_proapi.gateway.auth.caller import Caller
from codex_proapi.gateway.errors import BadKey, LimitExceeded
from codex_proapi.gateway.limits.key_claims import Claims
from codex_proapi.gateway.limits.limit_charge import charge_for
from codex_proapi.gateway.pool.admission_control import (
    Admission,
    AdmissionControl,
    AdmissionRequest,
    KeyChanged,
)
from codex_proapi.gateway.pool.eligible import Strategy
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader


class CountedReader(SnapshotReader):
    """Counts its snapshots."""

    reads = 0

    async def read(self, request: Any) -> Any:
        self.reads += 1
        return await super().read(request)


class Gate:
    """Admission control over a real Redis, with a key of one client."""

    def __init__(self, redis: Redis) -> None:
        self.scene = Scene(redis)
        self.snapshots = CountedReader(redis)
        self.scene.selector.reader._snapshots = self.snapshots
        self.keys = KeyStore(redis, CredentialCipher((KEY,)))
        self.authenticator = Authenticator(self.keys, policy=KeyPolicy.REQUIRED, clock=Clock())
        self.control = AdmissionControl(self.authenticator, self.scene.selector.reader)
        self.secret = ""

    async def make_key(self, **terms: Any) -> ApiKey:
        key, self.secret = await self.keys.create("mine", **terms)
        return key

    async def authenticated(self) -> Authenticated:
        return await self.authenticator.authenticate(Caller(self.secret))

    async def admit(self, authenticated: Authenticated, claims: Claims | None = None) -> Any:
        return await self.control.admit(
            AdmissionRequest(
                lease_request=REQUEST,
                authenticated=authenticated,
                claims=claims or Claims(charge=self.charge(authenticated)),
            )
        )

    def charge(self, authenticated: Authenticated) -> Any:
        key = authenticated.key
        assert key is not None
        return charge_for(
            key.id, key.limits, request_id="req_1", version=authenticated.version, tokens=10
        )


@pytest.fixture
async def gate(redis_client: Redis) -> Any:
    made = Gate(redis_client)
    await made.scene.log_in(2)
    await made.scene.lend()
    made.snapshots.reads = 0
    return made


async def test_one_snapshot_admits_a_request_and_selects_its_first_account(gate: Any) -> None:
    await gate.make_key(limits=Limits(rpm=5))
    authenticated = await gate.authenticated()
    claims = Claims(charge=gate.charge(authenticated))

    admission = await gate.admit(authenticated, claims)
    lease = await gate.scene.selector.lease(REQUEST, state=admission.state)

    assert isinstance(admission, Admission)
    assert claims.charge is not None
    assert claims.charge.drawn_at
    assert lease.account.id in admission.state.eligible.accounts
    assert gate.snapshots.reads == 1


async def test_a_changed_key_is_handed_back_with_its_new_terms_and_nothing_is_charged(
    gate: Any,
) -> None:
    key = await gate.make_key(limits=Limits(rpm=5))
    authenticated = await gate.authenticated()
    await gate.keys.patch(key.id, limits=Limits(rpm=7))

    changed = await gate.admit(authenticated)

    assert isinstance(changed, KeyChanged)
    assert changed.authenticated.key is not None
    assert changed.authenticated.key.limits == Limits(rpm=7)
    assert not await gate.scene.redis.exists(keyspace.minute_requests(key.id))
    assert isinstance(await gate.admit(changed.authenticated), Admission)


async def test_a_change_of_another_key_is_no_reason_to_make_the_request_again(gate: Any) -> None:
    key = await gate.make_key(limits=Limits(rpm=5))
    authenticated = await gate.authenticated()
    await gate.keys.create("another")

    assert isinstance(await gate.admit(authenticated), Admission)
    assert await gate.scene.redis.zcard(keyspace.minute_requests(key.id)) == 1


async def test_a_revoked_key_is_refused_by_the_snapshot(gate: Any) -> None:
    key = await gate.make_key()
    authenticated = await gate.authenticated()
    await gate.keys.revoke(key.id)

    with pytest.raises(BadKey, match="revoked"):
        await gate.admit(authenticated)


async def test_accounts_that_come_meanwhile_are_in_the_state_and_the_charge_is_made_once(
    gate: Any,
) -> None:
    key = await gate.make_key(limits=Limits(rpm=5))
    authenticated = await gate.authenticated()
    [more] = await gate.scene.log_in(1)  # the first account logs in again: another version
    await gate.scene.store.pause(more)

    admission = await gate.admit(authenticated)

    assert more not in admission.state.eligible.accounts
    assert await gate.scene.redis.zcard(keyspace.minute_requests(key.id)) == 1


async def test_a_share_is_claimed_once_and_only_where_the_pool_is_scarce(gate: Any) -> None:
    await gate.make_key()
    authenticated = await gate.authenticated()
    gate.scene.selector.strategy = Strategy(fair_below=10)
    share = FairShare(key_id="key_1", weight=1.0, request_id="req_1", tokens=1000)
    claims = Claims(fair_share=share)
    await gate.admit(authenticated, claims)
    assert not share.checked

    ids = [account.id for account in await gate.scene.store.list()]
    gate.scene.facts.used = {account: (Window(minutes=300, used=95),) for account in ids}
    await gate.admit(authenticated, claims)
    assert share.charged
    await gate.scene.redis.delete(keyspace.fair_shares())
    await gate.admit(authenticated, claims)

    assert not await gate.scene.redis.exists(keyspace.fair_shares())


async def test_who_has_had_its_share_is_told_when_to_come_again(gate: Any) -> None:
    await gate.make_key()
    authenticated = await gate.authenticated()
    gate.scene.selector.strategy = Strategy(fair_below=10)
    ids = [account.id for account in await gate.scene.store.list()]
    gate.scene.facts.used = {account: (Window(minutes=300, used=95),) for account in ids}
    now = time.time()
    had = {"key_1": f"{AHEAD + 1} {now} -", "key_2": f"0 {now - ACTIVE_SECONDS + 20} -"}
    await gate.scene.redis.hset(keyspace.fair_shares(), mapping=had)
    share = FairShare(key_id="key_1", weight=1.0, request_id="req_1", tokens=0)

    with pytest.raises(LimitExceeded) as refused:
        await gate.admit(authenticated, Claims(fair_share=share))

    assert 0 < (refused.value.retry_after or 0) <= 20
    assert "had its share" in str(refused.value)
