"""A saved reset is redeemed once: under time-outs, crashes, repetitions and two consoles."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import KEY
from support.logins import a_login

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import Account, Cooldown, CooldownReason
from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.redis import operator_keys
from codex_proapi.console.errors import Conflict, ConsoleError, NotFound, UpstreamAway
from codex_proapi.console.resets.backend_calls import ResetCalls
from codex_proapi.console.resets.redeeming import TRIES, Resets
from codex_proapi.console.resets.reset_store import Redemption, ResetStore
from codex_proapi.simulator import Simulator
from codex_proapi.simulator.state.accounts import CLIENT_ID, SavedReset

NOW = 1_795_000_000
DAY = 86_400
CONSUME = "/backend-api/wham/rate-limit-reset-credits/consume"


class Bench:
    """Two consoles' worth of resets before one simulated backend."""

    def __init__(self, sim: Simulator, redis: Redis, clock: Clock) -> None:
        self.sim, self.redis, self.clock = sim, redis, clock
        self.http = httpx.AsyncClient(trust_env=False, timeout=60)
        self.accounts = AccountStore(redis, CredentialCipher([KEY]))
        self.cooldowns, self.quotas = CooldownStore(redis), QuotaStore(redis)
        endpoint = TokenEndpoint(self.http, issuer=sim.auth_url, client_id=CLIENT_ID, identity={})
        self.refresher = CredentialRefresher(self.accounts, endpoint, redis, clock=clock)
        self.outcomes: list[str] = []
        self.slept: list[float] = []
        self.here, self.there = self.console(), self.console()
        ada = sim.account("ada")
        ada.used_percent = 100.0
        ada.saved_resets = [
            SavedReset(id="late", expires_at=NOW + 20 * DAY),
            SavedReset(id="soon", expires_at=NOW + 2 * DAY),
        ]

    def console(self) -> Resets:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        return Resets(
            ResetCalls(self.http, self.refresher, base_url=self.sim.base_url, identity=Identity()),
            ResetStore(self.redis),
            cooldowns=self.cooldowns,
            quotas=self.quotas,
            clock=self.clock,
            hook=self.outcomes.append,
            sleep=sleep,
        )

    async def account(self) -> Account:
        ada = self.sim.account("ada")
        return await self.accounts.add(
            a_login(
                exp=NOW + DAY,
                workspace=ada.workspace,
                chatgpt_user_id=ada.user_id,
                access_token=self.sim.access_token("ada"),
            )
        )

    async def cool(self, account: Account, reason: CooldownReason) -> None:
        cooldown = Cooldown(until=NOW + DAY, since=NOW - 5.0, reason=reason)
        await self.cooldowns.cool(account.id, cooldown)

    async def cooling(self, account: Account) -> bool:
        return bool(await self.cooldowns.all([account.id], now=self.clock()))

    @property
    def sent(self) -> list[str]:
        """The request ids that the backend received."""
        asked = [request for request in self.sim.requests if request.path == CONSUME]
        return [request.body["redeem_request_id"] for request in asked]

    @property
    def effects(self) -> int:
        return self.sim.account("ada").resets_redeemed


@pytest.fixture
async def bench(redis_client: Redis) -> AsyncIterator[Bench]:
    clock = Clock(NOW)
    async with Simulator(clock=clock) as sim:
        made = Bench(sim, redis_client, clock)
        yield made
        await made.refresher.close()
        await made.http.aclose()


async def refused(resets: Resets, account: Account, reset_id: str) -> ConsoleError:
    with pytest.raises(ConsoleError) as caught:
        await resets.redeem(account, reset_id, by="admin")
    return caught.value


async def test_a_list_is_read_and_kept_with_the_soonest_to_expire_first(bench: Bench) -> None:
    account = await bench.account()

    found = await bench.here.list(account)

    assert [(each.id, each.usable) for each in found.resets] == [("soon", True), ("late", True)]
    assert (found.available, found.seen_at) == (2, NOW)
    kept = (await bench.there.store.last_read([account.id]))[account.id]
    assert [each.id for each in kept.resets] == ["soon", "late"]


async def test_a_reset_ends_the_cooldown_and_the_quota_is_read_again(bench: Bench) -> None:
    account = await bench.account()
    await bench.cool(account, CooldownReason.QUOTA)

    done = await bench.here.redeem(account, "soon", by="admin")

    assert (done.windows, done.repeated, done.first, done.by) == (1, False, True, "admin")
    assert bench.sent == [done.request_id]
    assert not await bench.cooling(account)
    quota = (await bench.quotas.all([account.id]))[account.id]
    assert {window.used_percent for window in quota.windows} == {0.0}
    assert bench.outcomes == ["reset"]
    shown = {each.id: each for each in (await bench.there.list(account)).resets}
    assert (shown["soon"].usable, shown["soon"].redeemed_by) == (False, "admin")


@pytest.mark.parametrize("reason", [CooldownReason.RATE, CooldownReason.ENTITLEMENT])
async def test_a_cooldown_for_another_reason_stays(bench: Bench, reason: CooldownReason) -> None:
    account = await bench.account()
    await bench.cool(account, reason)

    await bench.here.redeem(account, "soon", by="admin")

    assert await bench.cooling(account)


async def test_a_cooldown_stays_where_the_quota_is_still_spent(bench: Bench) -> None:
    account = await bench.account()
    await bench.cool(account, CooldownReason.QUOTA)
    used = bench.sim.account("ada")
    real = bench.here._calls.quota

    async def spent(account: Account) -> Any:
        used.used_percent = 100.0
        return await real(account)

    bench.here._calls.quota = spent  # type: ignore[method-assign]
    await bench.here.redeem(account, "soon", by="admin")

    assert await bench.cooling(account)


@pytest.mark.parametrize(
    ("fault", "changes"),
    [
        ("answer_lost", {}),
        ("bare_502", {"words": 1}),
        ("json_404", {"words": 1, "status": 500}),
        ("token_error", {"words": 1}),
        ("connection_reset", {}),
        ("bare_502", {}),
    ],
)
async def test_a_lost_or_failed_answer_is_repeated_with_the_same_id(
    bench: Bench, fault: str, changes: dict[str, Any]
) -> None:
    account = await bench.account()
    bench.sim.script(fault, on="redeem", **changes)

    done = await bench.here.redeem(account, "soon", by="admin")

    assert set(bench.sent) == {done.request_id}
    assert bench.effects == 1
    assert bench.slept == [1.0]


async def test_where_no_answer_comes_at_all_a_later_try_repeats_the_same_request(
    bench: Bench,
) -> None:
    account = await bench.account()
    bench.sim.script("answer_lost", on="redeem", times=TRIES)

    error = await refused(bench.here, account, "soon")

    assert isinstance(error, UpstreamAway)
    assert (error.code, len(bench.sent)) == ("reset_unconfirmed", TRIES)
    [shown, _] = (await bench.there.list(account)).resets
    assert (shown.id, shown.pending, shown.usable) == ("soon", True, False)
    done = await bench.there.redeem(account, "soon", by="other")
    assert (done.repeated, done.first, done.by) == (True, True, "admin")
    assert set(bench.sent) == {done.request_id}
    assert bench.effects == 1


async def test_after_a_crash_between_call_and_answer_the_same_request_is_repeated(
    bench: Bench,
) -> None:
    account = await bench.account()
    asked = asyncio.Event()
    send = bench.here._calls.redeem

    async def crash(*args: Any, **kwargs: Any) -> Any:
        await send(*args, **kwargs)
        asked.set()
        await asyncio.Event().wait()

    bench.here._calls.redeem = crash  # type: ignore[method-assign]
    task = asyncio.ensure_future(bench.here.redeem(account, "soon", by="admin"))
    await asked.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    done = await bench.there.redeem(account, "soon", by="admin")

    assert (done.repeated, done.first) == (True, True)
    assert set(bench.sent) == {done.request_id}
    assert bench.effects == 1


async def test_many_at_once_on_two_consoles_redeem_once(bench: Bench) -> None:
    account = await bench.account()

    found = await asyncio.gather(
        *(
            console.redeem(account, "soon", by="admin")
            for console in (bench.here, bench.there)
            for _ in range(10)
        )
    )

    assert bench.effects == 1
    assert len(set(bench.sent)) == 1
    assert [each.first for each in found].count(True) == 1
    assert {each.request_id for each in found} == set(bench.sent)


async def test_the_same_reset_again_redeems_nothing_and_no_other(bench: Bench) -> None:
    account = await bench.account()
    first = await bench.here.redeem(account, "soon", by="admin")

    again = await bench.there.redeem(account, "soon", by="other")

    assert (again.request_id, again.first, again.by) == (first.request_id, False, "admin")
    assert len(bench.sent) == 1


async def test_one_that_was_redeemed_elsewhere_is_refused(bench: Bench) -> None:
    account = await bench.account()
    bench.sim.account("ada").saved_resets[1].redeemed_by = "another"

    error = await refused(bench.here, account, "soon")

    assert (type(error), error.code) == (Conflict, "reset_already_redeemed")
    assert bench.sent == []


async def test_one_that_is_redeemed_elsewhere_in_the_meantime_is_refused(bench: Bench) -> None:
    account = await bench.account()
    saved = bench.sim.account("ada").saved_resets[1]
    send = bench.here._calls.redeem

    async def late(*args: Any, **kwargs: Any) -> Any:
        saved.redeemed_by = "another"
        return await send(*args, **kwargs)

    bench.here._calls.redeem = late  # type: ignore[method-assign]
    error = await refused(bench.here, account, "soon")

    assert error.code == "reset_already_redeemed"
    assert await bench.here.store.redemptions(account.id) == {}


async def test_expired_unknown_and_useless_resets_are_told_apart(bench: Bench) -> None:
    account = await bench.account()
    ada = bench.sim.account("ada")
    ada.saved_resets.append(SavedReset(id="lost", expires_at=NOW - 1))

    lost = await refused(bench.here, account, "lost")
    unknown = await refused(bench.here, account, "nobody's")
    ada.used_percent = 0.0
    useless = await refused(bench.here, account, "soon")

    assert lost.code == "reset_gone"
    assert (type(unknown), unknown.code, unknown.param) == (NotFound, "unknown_reset", "reset_id")
    assert useless.code == "nothing_to_reset"
    ada.used_percent = 50.0
    await bench.here.redeem(account, "soon", by="admin")
    assert len(set(bench.sent)) == 2
    assert bench.effects == 1


async def test_a_refusal_of_a_repetition_is_checked_against_the_list(bench: Bench) -> None:
    account = await bench.account()
    bench.sim.script("answer_lost", on="redeem")
    bench.sim.script("json_403", on="redeem")

    done = await bench.here.redeem(account, "soon", by="admin")

    assert done.first
    assert bench.effects == 1


async def test_a_refusal_without_effect_is_forgotten(bench: Bench) -> None:
    account = await bench.account()
    bench.sim.script("json_403", on="redeem")

    error = await refused(bench.here, account, "soon")

    assert error.code == "reset_refused"
    assert await bench.here.store.redemptions(account.id) == {}
    assert bench.outcomes == ["refused"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("challenge_200", "resets_unreadable"),
        ("bare_502", "resets_unreadable"),
        ("json_404", "resets_unreadable"),
        ("connection_reset", "upstream_unreachable"),
    ],
)
async def test_a_list_that_cannot_be_read_says_so(bench: Bench, fault: str, code: str) -> None:
    account = await bench.account()
    bench.sim.script(fault, on="resets", times=None)

    with pytest.raises(UpstreamAway) as caught:
        await bench.here.list(account)

    assert caught.value.code == code
    assert (await refused(bench.here, account, "soon")).code == code
    assert bench.sent == []


async def test_a_refused_token_is_renewed_on_the_way(bench: Bench) -> None:
    account = await bench.account()
    ada = bench.sim.account("ada")
    content = bench.sim.auth_json("ada")["tokens"]
    account = await bench.accounts.add(
        a_login(
            exp=NOW + DAY,
            workspace=ada.workspace,
            chatgpt_user_id=ada.user_id,
            access_token=content["access_token"],
            refresh_token=content["refresh_token"],
        )
    )
    bench.sim.script("token_expired", on="redeem")

    await bench.here.redeem(account, "soon", by="admin")

    assert bench.effects == 1


async def test_records_of_another_version_break_nothing(bench: Bench) -> None:
    account = await bench.account()
    await bench.redis.set(operator_keys.saved_resets(account.id), b'{"resets": 7}')
    key = operator_keys.reset_redemptions(account.id)
    await bench.redis.hset(key, mapping={"soon": "no json", "late": '{"more": [1], "by": "x"}'})

    assert await bench.here.store.last_read([account.id]) == {}
    assert (await bench.here.list(account)).available == 2
    done = await bench.here.redeem(account, "soon", by="admin")

    newer = '{"request_id": "r1", "by": "x", "began_at": 1, "more": {"a": 1}}'
    await bench.redis.hset(key, "late", newer)
    assert (await bench.here.store.redemptions(account.id))["late"] == Redemption(
        request_id="r1", by="x", began_at=1
    )
    assert done.first
