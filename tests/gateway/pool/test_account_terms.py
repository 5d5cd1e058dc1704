"""Nothing is begun against the terms of an account's owner, and the reason is told."""

import datetime as dt
import time
import zoneinfo
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.selecting import REQUEST, Scene

from codex_proapi.commons.accounts.model import Account, CooldownReason
from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause, Window
from codex_proapi.commons.owner_terms.closing import Closed, Opening, Term, opening
from codex_proapi.commons.owner_terms.terms import DAYS, HoursSpan, OwnerTerms, ReservedPercent
from codex_proapi.gateway.pool.account_terms import AccountTerms
from codex_proapi.gateway.pool.eligible import EligibilityCache
from codex_proapi.gateway.pool.lease import Lease, LeaseRequest
from codex_proapi.gateway.pool.slot_queue import Waiter

PAUSED = OwnerTerms(paused=True)
HALF_OF_THE_WEEK = OwnerTerms(reserved_percent=ReservedPercent(weekly=50))
WEEK = 10_080
HOUR = 3600


def days_away() -> tuple[str, ...]:
    """Days of which none is near, in any time zone."""
    today = dt.datetime.now(dt.UTC).weekday()
    return DAYS[(today + 3) % 7], DAYS[(today + 4) % 7]


def a_request(key_id: str = "open", group: str = "") -> LeaseRequest:
    return LeaseRequest(model="gpt-5.5", key_group=group, waiter=Waiter(key_id=key_id))


async def nobody(scene: Scene, lease_request: LeaseRequest = REQUEST) -> NoCandidate:
    found = await scene.selector.lease(lease_request)
    assert isinstance(found, NoCandidate)
    return found


async def test_a_paused_account_is_left_from_the_next_request_on(scene: Scene) -> None:
    first, second = await scene.log_in(2)
    assert {(await scene.lend(a_request())).account.id for _ in range(2)} == {first, second}

    await scene.store.set_terms(first, PAUSED)
    leases = [await scene.lend(a_request()) for _ in range(4)]

    assert {lease.account.id for lease in leases} == {second}
    assert f"{first} paused by its owner" in leases[0].why

    await scene.store.set_terms(first, OwnerTerms())
    assert {(await scene.lend(a_request())).account.id for _ in range(2)} == {first, second}


async def test_a_conversation_moves_on_when_its_account_closes(scene: Scene) -> None:
    await scene.log_in(2)
    own = (await scene.lend()).account.id
    await scene.ties.tie({"f1": own})
    assert (await scene.lend()).is_affine

    await scene.store.set_terms(own, OwnerTerms(hours=(HoursSpan(days=days_away()),)))
    lease = await scene.lend()

    assert lease.account.id != own
    assert not lease.is_affine
    assert f"{own} outside its owner's hours until" in lease.why


async def test_where_all_are_closed_the_first_opening_is_told(scene: Scene) -> None:
    first, second = await scene.log_in(2)
    near, far = days_away()
    await scene.store.set_terms(first, OwnerTerms(hours=(HoursSpan(days=(far,)),)))
    await scene.store.set_terms(second, OwnerTerms(hours=(HoursSpan(days=(near,)),)))

    found = await nobody(scene)

    opens = dt.datetime.fromtimestamp(found.until, dt.UTC)
    assert (found.cause, found.terms) == (NoCandidateCause.CLOSED, (Term.HOURS,))
    assert (DAYS[opens.weekday()], opens.hour, opens.minute) == (near, 0, 0)
    assert found.until > time.time()


async def test_keys_use_the_accounts_that_admit_them(scene: Scene) -> None:
    first, second, third = await scene.log_in(3)
    await scene.store.set_terms(first, OwnerTerms(key_groups=("team",)))
    await scene.store.set_terms(second, OwnerTerms(keys=("key_1",)))

    async def accounts(*key: str) -> set[str]:
        return {(await scene.lend(a_request(*key))).account.id for _ in range(6)}

    assert await accounts("key_2", "team") == {first, third}
    assert await accounts("key_1", "team") == {first, second, third}
    assert await accounts("key_1", "others") == {second, third}
    assert await accounts("key_3") == await accounts() == {third}
    await scene.store.pause(third)
    found = await nobody(scene, a_request("key_3"))
    assert (found.cause, found.until, found.terms) == (NoCandidateCause.CLOSED, 0, (Term.KEYS,))


async def test_keys_of_one_kind_share_their_list_of_accounts(scene: Scene) -> None:
    first, _ = await scene.log_in(2)
    await scene.store.set_terms(first, OwnerTerms(key_groups=("team",)))
    scene.facts.steady = True
    await scene.lend(a_request("key_0", "team"))
    asked = scene.facts.asked

    for number in range(50):
        await scene.lend(a_request(f"key_{number}", "team"))

    assert scene.facts.asked == asked


async def test_a_share_that_is_reached_closes_from_the_reading_on(scene: Scene) -> None:
    first, second = await scene.log_in(2)
    await scene.store.set_terms(first, HALF_OF_THE_WEEK)
    reset = time.time() + 900
    scene.facts.used[first] = (Window(minutes=WEEK, used=49.9, resets_at=reset),)
    await scene.ties.tie({"f1": first})
    assert (await scene.lend()).account.id == first

    # No list is made anew: neither a revision nor a reading is counted.
    scene.facts.steady = True
    await scene.lend()
    scene.facts.used[first] = (Window(minutes=WEEK, used=50, resets_at=reset),)
    assert (await scene.lend()).account.id == second
    await scene.store.pause(second)
    found = await nobody(scene)

    assert (found.cause, found.terms) == (NoCandidateCause.CLOSED, (Term.SHARE,))
    assert found.until == reset


async def test_a_share_without_a_recent_reading_closes_until_there_is_one(scene: Scene) -> None:
    [only] = await scene.log_in(1)
    await scene.store.set_terms(only, HALF_OF_THE_WEEK)

    found = await nobody(scene)
    assert (found.cause, found.until, found.terms) == (
        *(NoCandidateCause.CLOSED, 0),
        (Term.READING,),
    )
    scene.facts.used[only] = ()
    assert (await scene.lend()).account.id == only


async def test_terms_that_cannot_be_read_here_close(scene: Scene) -> None:
    first, second = await scene.log_in(2)
    zone = OwnerTerms(time_zone="Mars/Olympus", hours=(HoursSpan(),))
    await scene.store.set_terms(first, zone)
    await scene.store.set_terms(second, OwnerTerms(hours=(HoursSpan(begin="soon"),)))

    found = await nobody(scene)

    assert (found.cause, found.terms) == (NoCandidateCause.CLOSED, (Term.UNREADABLE,))


async def test_a_cooldown_that_ends_before_the_opening_is_what_is_waited_for(scene: Scene) -> None:
    first, second = await scene.log_in(2)
    await scene.store.set_terms(first, OwnerTerms(hours=(HoursSpan(days=days_away()),)))
    await scene.cool(second, seconds=30)

    found = await nobody(scene)

    assert found.cause is NoCandidateCause.COOLING
    assert found.until == pytest.approx(time.time() + 30, abs=5)


async def test_a_closed_account_is_no_last_resort(scene: Scene) -> None:
    [only] = await scene.log_in(1)
    await scene.cool(only, CooldownReason.TRANSIENT, 30)
    assert (await scene.lend()).account.id == only

    await scene.store.set_terms(only, PAUSED)

    assert (await nobody(scene)).cause is NoCandidateCause.CLOSED


async def test_a_lease_ends_when_its_account_closes(scene: Scene) -> None:
    [only] = await scene.log_in(1)
    lease = await scene.selector.lease(REQUEST)
    assert isinstance(lease, Lease)
    assert scene.selector.may_begin(lease, REQUEST)

    await scene.store.set_terms(only, PAUSED)
    assert scene.selector.may_begin(lease, REQUEST)  # as far as is known here
    await scene.view.refresh_if(await scene.store.version())
    assert not scene.selector.may_begin(lease, REQUEST)

    await scene.store.remove(only)
    await scene.view.refresh_if(await scene.store.version())
    assert not scene.selector.may_begin(lease, REQUEST)


class View:
    """Accounts with some terms; a new version each time they change."""

    def __init__(self, **terms: OwnerTerms) -> None:
        self.version = 0
        self.accounts: dict[str, Account] = {}
        self.change(**terms)

    def change(self, **terms: OwnerTerms) -> None:
        self.version += 1
        self.accounts = {
            id_: Account(id=id_, name=id_, chatgpt_account_id=id_, terms=each)
            for id_, each in terms.items()
        }


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The moments for which hours were computed."""
    moments: list[float] = []

    def counting(terms: OwnerTerms, now: float) -> Opening:
        moments.append(now)
        return opening(terms, now)

    monkeypatch.setattr("codex_proapi.gateway.pool.account_terms.opening", counting)
    return moments


def test_hours_are_computed_once_for_each_opening(counted: list[float]) -> None:
    now = [dt.datetime(2026, 11, 30, 8, tzinfo=dt.UTC).timestamp()]
    nights = OwnerTerms(hours=(HoursSpan(begin="22:00", end="06:00"),))
    view: Any = View(a=nights)
    facts: Any = None
    terms = AccountTerms(view, facts, clock=lambda: now[0])

    def closed() -> Closed | None:
        return terms.closed_to_all(view.accounts["a"])

    assert closed() == Closed(term=Term.HOURS, until=now[0] + 14 * HOUR)
    assert terms.next_change(view.accounts.values(), now[0]) == now[0] + 14 * HOUR
    now[0] += 13 * HOUR
    assert closed() is not None
    assert len(counted) == 1
    now[0] += HOUR
    assert closed() is None
    assert terms.next_change(view.accounts.values(), now[0]) == now[0] + 8 * HOUR - 1
    now[0] += 8 * HOUR - 0.5
    assert closed() == Closed(term=Term.HOURS, until=now[0] + 0.5 + 16 * HOUR)
    assert len(counted) == 2

    # Other hours hold at once; a clock that is put back computes anew.
    view.change(a=OwnerTerms(hours=(HoursSpan(begin="06:00", end="22:00"),)))
    now[0] += 3 * HOUR
    assert closed() is None
    now[0] -= 4 * HOUR
    assert closed() is not None


ZONES = ("UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu")
CLOCKS = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
SPANS = st.builds(
    HoursSpan,
    days=st.lists(st.sampled_from(DAYS), min_size=1, unique=True).map(tuple),
    begin=CLOCKS,
    end=CLOCKS | st.just("24:00"),
).filter(lambda span: span.begin != span.end)
TERMS = st.builds(
    OwnerTerms,
    time_zone=st.sampled_from(ZONES),
    hours=st.lists(SPANS, max_size=3).map(tuple),
    reserved_percent=st.builds(ReservedPercent, weekly=st.sampled_from([0.0, 30.0, 60.0])),
    key_groups=st.sampled_from([(), ("team",)]),
    paused=st.integers(0, 9).map(lambda number: number == 0),
)


class Readings:
    """A week that is used by as much as a test says; nothing else is known."""

    def __init__(self) -> None:
        self.used: dict[str, float] = {}

    def changes(self) -> tuple[int, int]:
        return 0, 0

    def lists(self, account_id: str, model: str) -> bool:
        return True

    def windows(self, account_id: str, model: str) -> tuple[Window, ...]:
        return (Window(minutes=WEEK, used=self.used[account_id]),)

    def is_read(self, account_id: str, model: str) -> bool:
        return True

    def credits(self, account_id: str) -> bool:
        return False


def may_begin(terms: OwnerTerms, moment: float, *, used: float, group: str) -> bool:
    """What an owner would say who has a clock, a calendar and the newest figure."""
    local = dt.datetime.fromtimestamp(moment, zoneinfo.ZoneInfo(terms.time_zone))
    clock = f"{local:%H:%M}"
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    within = not terms.hours or any(
        today in span.days and span.begin <= clock < span.end
        if span.begin < span.end
        else (today in span.days and clock >= span.begin)
        or (yesterday in span.days and clock < span.end)
        for span in terms.hours
    )
    kept = terms.reserved_percent.weekly
    return (
        within
        and not terms.paused
        and (not terms.key_groups or group in terms.key_groups)
        and (not kept or 100 - used > kept)
    )


@settings(max_examples=60, deadline=None)
@given(
    terms=st.lists(TERMS, min_size=1, max_size=4),
    week=st.sampled_from([1_774_569_600.0, 1_793_318_400.0, 1_792_713_600.0, 1_780_000_000.0]),
    steps=st.lists(
        st.tuples(st.floats(1, 40_000), st.sampled_from(["team", ""]), st.floats(0, 8)),
        min_size=20,
        max_size=60,
    ),
)
def test_in_any_week_only_what_the_owners_allow_is_offered(
    terms: list[OwnerTerms], week: float, steps: list[tuple[float, str, float]]
) -> None:
    """Weeks with and without a change of the clocks, on lists that are kept from request to request."""
    view: Any = View(**{f"acc_{number}": each for number, each in enumerate(terms)})
    facts, now = Readings(), [week]
    facts.used = dict.fromkeys(view.accounts, 0.0)
    cache = EligibilityCache(view, facts, clock=lambda: now[0])

    for seconds, group, spent in steps:
        now[0] += seconds
        request = a_request("key_1", group)
        listed = cache.list(request, now[0])
        for account_id, account in view.accounts.items():
            used = facts.used[account_id]
            allowed = may_begin(account.terms, now[0], used=used, group=group)
            soon = may_begin(account.terms, now[0] + 1, used=used, group=group)
            offered = cache.terms.closed(account, request) is None
            assert offered == (allowed and soon)
            # The list may be a little behind a reading, never behind hours, keys or a pause.
            if not allowed and may_begin(account.terms, now[0], used=0, group=group) is False:
                assert account_id not in listed.open
            if offered:
                facts.used[account_id] = min(100.0, used + spent)
