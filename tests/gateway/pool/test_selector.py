import time
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from support.gateways import KEY
from support.logins import a_login

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import AccountState, Cooldown, CooldownReason
from codex_proapi.commons.accounts.store import AccountStore, AccountView
from codex_proapi.commons.api_keys.fair_shares import ACTIVE_SECONDS, AHEAD, FairShare
from codex_proapi.commons.balancing.candidates import (
    NoCandidate,
    NoCandidateCause,
    Reason,
    Selection,
    Window,
)
from codex_proapi.commons.balancing.selection_policy import select
from codex_proapi.commons.balancing.strategy import Routing
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import CredentialRevoked, CredentialUnavailable
from codex_proapi.gateway.accounting.affinity_writer import AffinityWriter
from codex_proapi.gateway.errors import BadKey, LimitExceeded
from codex_proapi.gateway.pool.clock import SharedClock
from codex_proapi.gateway.pool.health.circuit_breakers import CircuitBreakers
from codex_proapi.gateway.pool.lease import Lease, LeaseRequest
from codex_proapi.gateway.pool.selector import (
    MOST_LOGGED,
    RENEWAL_PATIENCE,
    AccountSelector,
    Strategy,
)
from codex_proapi.gateway.pool.snapshot import SnapshotReader

REQUEST = LeaseRequest(model="gpt-5.5", fingerprint="f1")


class Refresher:
    """Gives what a test says; without a word, what it is given."""

    def __init__(self) -> None:
        self.errors: dict[Any, Any] = {}
        self.asked: list[Any] = []

    def is_fresh(self, credential: Any) -> Any:
        return credential.account_id not in self.errors

    async def fresh(self, account_id: Any, *, held: Any = None, rejected: Any = None) -> Any:
        self.asked.append((account_id, rejected is not None))
        if error := self.errors.get(account_id):
            raise error
        return held or rejected


class Outcomes:
    def __init__(self) -> None:
        self.unavailable_accounts: list[Any] = []
        self.succeeded: list[Any] = []

    async def record_no_credential(self, account_id: Any, *, code: str | None) -> None:
        self.unavailable_accounts.append((account_id, code))

    def record_success(self, lease: Any) -> None:
        self.succeeded.append(lease.account.id)


class Facts:
    def __init__(self) -> None:
        self.unlisted: set[tuple[str, str]] = set()
        self.used: dict[Any, Any] = {}
        self.bought: set[Any] = set()
        self.asked = 0
        self.changes = 0
        self.steady = False

    @property
    def revision(self) -> int:
        """Anything may have changed, unless a test says that nothing does."""
        self.changes += not self.steady
        return self.changes

    def lists(self, account_id: Any, model: Any) -> Any:
        return (account_id, model) not in self.unlisted

    def windows(self, account_id: Any, model: Any) -> Any:
        del model
        self.asked += 1
        return self.used.get(account_id, ())

    def credits(self, account_id: Any) -> Any:
        return account_id in self.bought


class Scene:
    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.store = AccountStore(redis, CredentialCipher((KEY,)))
        self.cooldowns = CooldownStore(redis)
        self.snapshots = SnapshotReader(redis)
        self.ties = AffinityWriter(redis)
        self.refresher, self.outcomes, self.facts = Refresher(), Outcomes(), Facts()
        self.view = AccountView(self.store)
        parts: dict[str, Any] = {
            "view": self.view,
            "snapshots": self.snapshots,
            "refresher": self.refresher,
            "breakers": CircuitBreakers(redis, self.cooldowns, clock=time.time),
            "outcomes": self.outcomes,
            "clock": SharedClock(time.time),
            "facts": self.facts,
        }
        self.selector = AccountSelector(**parts)

    async def log_in(self, count: int) -> Any:
        """So many accounts; gives their ids, sorted as the round robin has them."""
        exp = int(time.time()) + 86_400
        accounts = [
            await self.store.add(a_login(exp=exp, workspace=f"ws-{n}", created_at=n))
            for n in range(count)
        ]
        return sorted(account.id for account in accounts)

    async def cool(
        self,
        account_id: Any,
        reason: Any = CooldownReason.QUOTA,
        seconds: Any = 900.0,
        model: Any = None,
    ) -> None:
        now = time.time()
        cooldown = Cooldown(until=now + seconds, reason=reason, since=now - 1)
        await self.cooldowns.cool(account_id, cooldown, model=model)

    async def lend(self, lease_request: Any = REQUEST, tried: Any = ()) -> Any:
        found = await self.selector.lease(lease_request, tried)
        assert isinstance(found, Lease), found
        return found

    async def nobody(self, lease_request: Any = REQUEST, tried: Any = ()) -> Any:
        found = await self.selector.lease(lease_request, tried)
        assert isinstance(found, NoCandidate), found
        return found.cause


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client)


async def test_accounts_are_lent_in_turn_with_their_credential(scene: Any) -> None:
    ids = await scene.log_in(3)

    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(6)]

    turns = [lease.account.id for lease in leases]
    assert sorted(turns[:3]) == ids
    assert turns[:3] == turns[3:]
    assert all(lease.credential.account_id == lease.account.id for lease in leases)
    assert leases[0].basis is Reason.TURN
    assert not leases[0].is_affine


async def test_a_conversation_goes_back_to_its_account_which_is_its_own(scene: Any) -> None:
    ids = await scene.log_in(3)
    await scene.ties.tie({"f1": ids[1]})

    lease = await scene.lend()

    assert (lease.account.id, lease.basis, lease.is_affine, lease.sole) == (
        ids[1],
        Reason.AFFINITY,
        True,
        False,
    )


async def test_a_conversation_goes_back_to_its_own_account_though_others_are_full(
    scene: Any,
) -> None:
    first, second = await scene.log_in(2)
    await scene.ties.tie({"f1": second})

    lease = await scene.selector.lease(REQUEST, full={first})

    assert (lease.account.id, lease.basis, lease.is_affine) == (second, Reason.AFFINITY, True)


async def test_a_promised_account_is_followed_but_not_yet_trusted_with_what_only_it_can_read(
    scene: Any,
) -> None:
    ids = await scene.log_in(3)
    await scene.ties.tie_tentatively({"f1": ids[1]})

    lease = await scene.lend()

    assert (lease.account.id, lease.basis, lease.is_affine) == (ids[1], Reason.AFFINITY, False)


async def test_a_conversation_that_begins_takes_its_turn_though_one_like_it_has_an_account(
    scene: Any,
) -> None:
    ids = await scene.log_in(3)
    await scene.ties.tie({"f1": ids[1]})

    new = msgspec.structs.replace(REQUEST, begins=True)
    leases = [await scene.lend(new) for _ in range(3)]

    assert sorted(lease.account.id for lease in leases) == sorted(ids)


@pytest.mark.parametrize("routing", [Routing.ROUND_ROBIN])
async def test_strictly_in_turn_a_conversation_has_no_account_of_its_own(
    scene: Any, routing: Any
) -> None:
    ids = await scene.log_in(2)
    await scene.ties.tie({"f1": ids[0]})
    scene.selector.strategy = Strategy(routing=routing)

    leases = [await scene.lend() for _ in range(4)]

    assert {lease.account.id for lease in leases} == set(ids)
    assert not any(lease.is_affine for lease in leases)


async def test_new_conversations_may_go_where_most_quota_is_left(scene: Any) -> None:
    ids = await scene.log_in(3)
    scene.facts.used = {
        account: (Window(minutes=300, used=used),)
        for account, used in zip(ids, (80, 10, 50), strict=True)
    }
    scene.selector.strategy = Strategy(routing=Routing.LEAST_USED)

    leases = [
        await scene.lend(LeaseRequest(model="gpt-5.5", fingerprint=f"f{n}")) for n in range(3)
    ]

    assert {lease.account.id for lease in leases} == {ids[1]}


async def test_a_conversation_leaves_an_account_that_is_spent_and_takes_a_turn(scene: Any) -> None:
    ids = await scene.log_in(3)
    await scene.ties.tie({"f1": ids[1]})
    scene.facts.used = {ids[1]: (Window(minutes=300, used=100),)}

    turns = {(await scene.lend()).account.id for _ in range(4)}

    assert turns == {ids[0], ids[2]}


async def test_credits_and_the_reserve_are_told_to_the_choice(scene: Any) -> None:
    ids = await scene.log_in(3)
    scene.facts.used = {
        account: (Window(minutes=300, used=used),)
        for account, used in zip(ids, (100, 96, 90), strict=True)
    }
    scene.selector.strategy = Strategy(reserve=5)
    assert (await scene.lend(LeaseRequest(model="gpt-5.5"))).account.id == ids[2]

    scene.selector.strategy = Strategy(reserve=20)
    scene.facts.bought = {ids[0]}
    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(3)]

    assert {lease.account.id for lease in leases} == set(ids)


async def test_a_lease_holds_the_ballot_from_which_its_choice_can_be_made_again(scene: Any) -> None:
    await scene.log_in(3)

    lease = await scene.lend()

    again = select(lease.selection_input)
    assert isinstance(again, Selection)
    assert (again.account_id, again.why) == (lease.account.id, lease.why)


async def test_a_ballot_holds_nothing_of_what_upstream_wrote(scene: Any) -> None:
    first, _ = await scene.log_in(2)
    now = time.time()
    cooldown = Cooldown(until=now + 90, reason=CooldownReason.RATE, since=now, code="sk-secret")
    await scene.cooldowns.cool(first, cooldown)

    lease = await scene.lend()

    assert {s.id for s in lease.selection_input.candidates if s.cooldown} == {first}
    assert b"secret" not in msgspec.json.encode(lease.selection_input)


async def test_a_share_is_claimed_once_and_only_where_the_pool_is_scarce(scene: Any) -> None:
    ids = await scene.log_in(2)
    scene.selector.strategy = Strategy(fair_below=10)
    share = FairShare(key_id="key_1", weight=1.0, request_id="req_1", tokens=1000)
    lease_request = LeaseRequest(model="gpt-5.5", fair_share=share)
    await scene.lend(lease_request)
    assert not share.asked

    scene.facts.used = {account: (Window(minutes=300, used=95),) for account in ids}
    await scene.lend(lease_request)
    assert share.charged
    await scene.redis.delete(keyspace.fair_shares())
    await scene.lend(lease_request)

    assert not await scene.redis.exists(keyspace.fair_shares())


async def test_who_has_had_its_share_is_told_when_to_come_again(scene: Any) -> None:
    [account] = await scene.log_in(1)
    scene.selector.strategy = Strategy(fair_below=10)
    scene.facts.used = {account: (Window(minutes=300, used=95),)}
    now = time.time()
    had = {"key_1": f"{AHEAD + 1} {now} -", "key_2": f"0 {now - ACTIVE_SECONDS + 20} -"}
    await scene.redis.hset(keyspace.fair_shares(), mapping=had)
    share = FairShare(key_id="key_1", weight=1.0, request_id="req_1", tokens=0)

    with pytest.raises(LimitExceeded) as refused:
        await scene.selector.lease(LeaseRequest(model="gpt-5.5", fair_share=share))

    assert refused.value.retry_after == 20
    assert "had its share" in str(refused.value)


async def test_the_only_account_owns_every_conversation(scene: Any) -> None:
    await scene.log_in(1)

    lease = await scene.lend()

    assert (lease.is_affine, lease.sole) == (True, True)


async def test_accounts_that_cannot_serve_are_passed_over(scene: Any) -> None:
    ids = await scene.log_in(6)
    await scene.store.pause(ids[0])
    await scene.store.mark(ids[1], AccountState.DEACTIVATED, "banned")
    ended = int(time.time()) - 5
    await scene.store.mark(ids[2], AccountState.REVOKED, "gone", token_expires_at=ended)
    await scene.cool(ids[3])
    scene.facts.unlisted.add((ids[4], "gpt-5.5"))

    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(4)]

    assert {lease.account.id for lease in leases} == {ids[5]}


async def test_a_revoked_login_is_used_until_its_token_ends(scene: Any) -> None:
    [account_id] = await scene.log_in(1)
    await scene.store.mark(account_id, AccountState.REVOKED, "gone")

    assert (await scene.lend()).account.id == account_id


async def test_a_key_kept_to_some_accounts_gets_those(scene: Any) -> None:
    ids = await scene.log_in(3)

    lease = await scene.lend(LeaseRequest(model="gpt-5.5", allowed_accounts=(ids[2],)))

    assert lease.account.id == ids[2]


async def test_one_that_was_tried_is_not_tried_again(scene: Any) -> None:
    ids = await scene.log_in(2)

    lease = await scene.lend(tried={ids[0]})

    assert lease.account.id == ids[1]
    assert await scene.nobody(tried=set(ids)) is NoCandidateCause.EMPTY


async def test_why_nobody_is_left_is_told_by_everybodys_cooldowns(scene: Any) -> None:
    ids = await scene.log_in(2)
    await scene.cool(ids[0], seconds=9000)
    await scene.cool(ids[1], seconds=7000)

    assert await scene.nobody(tried={ids[0], ids[1]}) is NoCandidateCause.SPENT
    assert await scene.nobody() is NoCandidateCause.SPENT


async def test_without_accounts_there_is_nobody_and_with_others_only_the_model_is_missing(
    scene: Any,
) -> None:
    assert await scene.nobody() is NoCandidateCause.EMPTY
    [account_id] = await scene.log_in(1)
    scene.facts.unlisted.add((account_id, "gpt-5.5"))
    assert await scene.nobody() is NoCandidateCause.UNENTITLED


async def test_a_model_cools_alone(scene: Any) -> None:
    [account_id] = await scene.log_in(1)
    await scene.cool(account_id, CooldownReason.ENTITLEMENT, model="gpt-5.5")

    assert await scene.nobody() is NoCandidateCause.UNENTITLED
    assert (await scene.lend(LeaseRequest(model="gpt-6-sol"))).account.id == account_id


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CredentialRevoked("dead"), "credential_revoked"),
        (CredentialUnavailable("later"), "credential_unavailable"),
    ],
)
async def test_an_account_without_a_usable_credential_is_left_for_another(
    scene: Any, error: Any, code: str | None
) -> None:
    ids = await scene.log_in(2)
    scene.refresher.errors[ids[0]] = error

    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(4)]

    assert {lease.account.id for lease in leases} == {ids[1]}
    assert set(scene.outcomes.unavailable_accounts) == {(ids[0], code)}


async def test_logins_that_are_being_renewed_are_waited_for_once_not_one_after_the_other(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await scene.log_in(4)
    now = [1000.0]
    monkeypatch.setattr("codex_proapi.gateway.pool.selector.time.monotonic", lambda: now[0])

    async def slow(account_id: Any, **_: Any) -> Any:
        scene.refresher.asked.append(account_id)
        now[0] += RENEWAL_PATIENCE
        raise CredentialUnavailable("takes too long")

    scene.refresher.errors = dict.fromkeys(ids)
    scene.refresher.fresh = slow

    assert await scene.nobody() is not None
    assert len(scene.refresher.asked) == 1


async def test_changes_of_accounts_are_seen_with_the_next_request(scene: Any) -> None:
    ids = await scene.log_in(1)
    await scene.lend()

    more = await scene.log_in(2)
    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(4)]
    await scene.store.remove(ids[0])
    left = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(3)]

    assert {lease.account.id for lease in leases} == set(more)
    assert {lease.account.id for lease in left} == set(more) - set(ids)


async def test_the_keys_version_of_the_survey_is_confirmed_before_anything_is_lent(
    scene: Any,
) -> None:
    await scene.log_in(1)
    await scene.redis.set(keyspace.keys_version(), 7)
    seen: list[Any] = []

    async def confirm(version: Any) -> None:
        seen.append(version)
        raise BadKey("revoked")

    with pytest.raises(BadKey):
        await scene.selector.lease(LeaseRequest(model="gpt-5.5", confirm=confirm))
    assert seen == [7]


async def half_open(scene: Any, ids: Any) -> None:
    """Every breaker was open a moment ago."""
    for account_id in ids:
        await scene.cool(account_id, CooldownReason.TRANSIENT, seconds=60)
    await scene.lend()
    await scene.redis.delete(keyspace.cooldowns())


async def test_one_request_at_a_time_probes_a_half_open_account_and_others_go_elsewhere(
    scene: Any,
) -> None:
    ids = await scene.log_in(2)
    await half_open(scene, ids[:1])

    leases = [await scene.lend(LeaseRequest(model="gpt-5.5")) for _ in range(6)]

    probes = [lease for lease in leases if lease.account.id == ids[0]]
    assert [lease.probe for lease in probes] == [True]
    scene.selector.record_probe_success(probes[0])
    scene.selector.record_probe_success(leases[-1])
    assert scene.outcomes.succeeded == [ids[0]]


async def test_when_only_accounts_under_probe_are_left_they_are_lent_all_the_same(
    scene: Any,
) -> None:
    ids = await scene.log_in(1)
    await half_open(scene, ids)

    leases = [await scene.lend() for _ in range(3)]

    assert {lease.account.id for lease in leases} == set(ids)


async def test_a_refused_credential_is_renewed_on_the_same_account(scene: Any) -> None:
    await scene.log_in(1)
    lease = await scene.lend()

    renewed = await scene.selector.renew(lease)

    assert renewed is not None
    assert (renewed.account, renewed.basis) == (lease.account, Reason.RENEWED)
    assert (renewed.is_affine, renewed.sole) == (lease.is_affine, lease.sole)
    assert scene.refresher.asked == [(lease.account.id, True)]


async def test_a_credential_that_cannot_be_renewed_ends_the_account_for_now(scene: Any) -> None:
    await scene.log_in(1)
    lease = await scene.lend()
    scene.refresher.errors[lease.account.id] = CredentialRevoked("dead")

    assert await scene.selector.renew(lease) is None
    assert scene.outcomes.unavailable_accounts == [(lease.account.id, "credential_revoked")]


async def test_the_outlook_tells_whether_somebody_untried_is_free(scene: Any) -> None:
    ids = await scene.log_in(2)
    await scene.lend()
    await scene.cool(ids[0], seconds=7000)

    assert await scene.selector.why_none_left(REQUEST, {ids[0]}) is None
    await scene.cool(ids[1], seconds=9000)
    why_none_left = await scene.selector.why_none_left(REQUEST, set(ids))

    assert why_none_left is not None
    assert why_none_left.cause is NoCandidateCause.SPENT


async def test_it_knows_a_plan_to_name(scene: Any) -> None:
    await scene.log_in(1)
    await scene.lend()

    assert scene.selector.plan(REQUEST) == "plus"
    assert scene.selector.plan(LeaseRequest(model="x", allowed_accounts=("acc_none",))) == ""


async def test_accounts_that_are_paused_or_not_for_this_key_are_no_reason_to_blame_the_model(
    scene: Any,
) -> None:
    ids = await scene.log_in(2)
    mine = msgspec.structs.replace(REQUEST, allowed_accounts=(ids[0],))
    await scene.store.pause(ids[0])

    assert await scene.selector.lease(mine) == NoCandidate(cause=NoCandidateCause.EMPTY)
    await scene.store.pause(ids[1])
    assert await scene.selector.lease(REQUEST) == NoCandidate(cause=NoCandidateCause.EMPTY)


async def test_a_conversation_that_stays_costs_the_same_in_a_large_pool(scene: Any) -> None:
    ids = await scene.log_in(40)
    await scene.ties.tie({"f1": ids[7]})
    request = LeaseRequest(model="gpt-5.5", fingerprint="f1")
    await scene.selector.lease(request)
    scene.facts.steady = True
    await scene.selector.lease(request)
    before = scene.facts.asked

    lease = await scene.selector.lease(request)

    assert (lease.account.id, lease.basis) == (ids[7], Reason.AFFINITY)
    assert scene.facts.asked - before == 1
    assert len(lease.selection_input.candidates) == 1


async def test_a_large_pools_selection_is_not_logged_whole(scene: Any) -> None:
    await scene.log_in(MOST_LOGGED + 1)

    lease = await scene.selector.lease(LeaseRequest(model="gpt-5.5"))

    assert lease.selection_input is None
    assert len(lease.why) < 200


async def test_the_account_a_conversation_got_is_known_to_its_next_request_at_once(
    scene: Any,
) -> None:
    await scene.log_in(3)
    first = await scene.selector.lease(LeaseRequest(model="gpt-5.5", fingerprint="f1", begins=True))
    scene.selector.note_tie("f1", first.account.id, tentative=True)

    second = await scene.selector.lease(LeaseRequest(model="gpt-5.5", fingerprint="f1"))
    scene.selector.note_tie("f1", first.account.id, tentative=False)
    third = await scene.selector.lease(LeaseRequest(model="gpt-5.5", fingerprint="f1"))

    assert [lease.account.id for lease in (second, third)] == [first.account.id] * 2
    assert (second.is_affine, third.is_affine) == (False, True)


async def test_a_recent_tie_to_an_account_that_cools_is_not_followed(scene: Any) -> None:
    ids = await scene.log_in(2)
    scene.selector.note_tie("f1", ids[0], tentative=False)
    await scene.cool(ids[0])

    lease = await scene.selector.lease(LeaseRequest(model="gpt-5.5", fingerprint="f1"))

    assert (lease.account.id, lease.is_affine) == (ids[1], False)
