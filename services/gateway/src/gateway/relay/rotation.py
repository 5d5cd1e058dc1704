"""Eligible accounts, one look into Redis, one choice, a fresh credential: a lease.

Which account is chosen is `choice`'s decision; what refusals teach is kept by `relay.lessons`.
"""

from collections.abc import Collection, Sequence
from typing import Final, Protocol

import msgspec

from commons.accounts.model import Account, Cooldown
from commons.accounts.refresher import CredentialRefresher
from commons.accounts.store import AccountView
from commons.accounts.survey import Survey, Surveyor
from commons.clock import SharedClock
from commons.errors import CredentialRevoked, CredentialUnavailable
from commons.fair_shares import FairShare
from commons.routing import Routing
from gateway.choice.ballot import Ballot, Basis, Cause, Choice, NoChoice, Standing, Window
from gateway.choice.choose import choose, why_nobody
from gateway.choice.quota import Plenty, plenty
from gateway.choice.scarcity import scarce
from gateway.errors import StoreAway
from gateway.relay.allowances import refused
from gateway.relay.breakers import Breakers
from gateway.relay.grace import Grace
from gateway.relay.lease import Lease, Wish
from gateway.relay.lessons import Lessons

MOST_LOOKS: Final = 3
"""Surveys taken in a row while the accounts change under our eyes."""


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says of the choice."""

    routing: Routing = Routing.AFFINITY
    reserve: float = 0.0
    """Percent of each quota window that new conversations leave alone."""
    fair_below: float = 0.0
    """Percent of the pool left below which keys share the rest; 0 is never."""


class Facts(Protocol):
    """What is known of an account beside its record."""

    def lists(self, account_id: str, model: str) -> bool:
        """Whether an account lists a model; True where its catalogue is not known."""

    def windows(self, account_id: str, model: str) -> tuple[Window, ...]:
        """An account's quota windows that hold for a model; empty where they are not known."""

    def credits(self, account_id: str) -> bool:
        """Whether bought credits go on where an account's windows end."""


class Rotation:
    """Lends accounts."""

    def __init__(
        self,
        *,
        view: AccountView,
        surveyor: Surveyor | Grace,
        refresher: CredentialRefresher,
        breakers: Breakers,
        lessons: Lessons,
        clock: SharedClock,
        facts: Facts,
    ) -> None:
        self._view = view
        self._surveyor = surveyor
        self._refresher = refresher
        self._breakers = breakers
        self._lessons = lessons
        self._clock = clock
        self._facts = facts
        self.strategy = Strategy()
        """How accounts are chosen; may change while running."""

    def __repr__(self) -> str:
        return f"<Rotation over {self._view!r}>"

    async def lease(
        self, wish: Wish, tried: Collection[str] = (), *, full: Collection[str] = ()
    ) -> Lease | NoChoice:
        """Lend an account that has not been tried and is not full, or say why there is none.

        Raises StoreUnavailable: without a survey nobody is admitted; Exhausted for a key's limit.
        """
        passed = set(tried)
        busy: list[tuple[Choice, Ballot]] = []
        while True:
            survey, candidates = await self._look(wish, passed, full=full)
            asked = [a for a in candidates if a.id not in passed]
            ballot = self._ballot(wish, survey, asked, full=full)
            found = choose(ballot)
            if isinstance(found, NoChoice):
                if not busy:
                    return self._nobody(found, wish, survey, candidates)
                # Only accounts that somebody else is probing are left: better those than none.
                found, ballot = busy.pop()
            elif found.probe and not await self._breakers.may_probe(found.account_id):
                passed.add(found.account_id)
                busy.append((found, ballot))
                continue
            lease = await self._lend(found, ballot, survey)
            if lease is not None:
                return lease
            passed.add(found.account_id)

    async def outlook(self, wish: Wish, tried: Collection[str]) -> NoChoice | None:
        """Why nobody else can be asked; None when somebody who has not been tried may be free."""
        survey, candidates = await self._look(wish, {a.id for a in self._candidates(wish)})
        free = [a for a in candidates if a.id not in tried and a.id not in survey.cooldowns]
        return None if free else self._nobody(NoChoice(cause=Cause.EMPTY), wish, survey, candidates)

    def plan(self, wish: Wish) -> str:
        """The plan of an account that may serve a wish, for an answer that must name one."""
        return next((account.plan for account in self._candidates(wish) if account.plan), "")

    async def renew(self, lease: Lease) -> Lease | None:
        """The same account with a credential other than the refused one; None if there is none."""
        account_id = lease.account.id
        try:
            credential = await self._refresher.fresh(account_id, rejected=lease.credential)
        except CredentialUnavailable as error:
            await self._without_credential(account_id, error)
            return None
        return Lease(
            account=lease.account,
            credential=credential,
            basis=Basis.RENEWED,
            why="renewed credential",
            began=self._clock(),
            own=lease.own,
            sole=lease.sole,
            probe=lease.probe,
        )

    def prove(self, lease: Lease) -> None:
        """An answer has begun: if it was a probe, its breaker closes at once."""
        if lease.probe:
            self._lessons.succeed(lease)

    async def _look(
        self, wish: Wish, passed: Collection[str], *, full: Collection[str] = ()
    ) -> tuple[Survey, list[Account]]:
        """A survey for accounts that are known as they are now, and those that may serve."""
        ties = self.strategy.routing is not Routing.ROUND_ROBIN and not wish.begins
        follow = ties and wish.fingerprint and not passed
        draw = wish.draw
        for _ in range(MOST_LOOKS):
            candidates = self._candidates(wish)
            followed = self._followed(candidates, wish.model) if follow else candidates
            survey = await self._surveyor.survey(
                account_ids=[a.id for a in followed if a.id not in passed and a.id not in full],
                model=wish.model,
                affinity=wish.fingerprint if follow else None,
                draw=draw if draw is not None and not draw.drawn_at else None,
                fair_share=self._claim(wish, candidates),
            )
            self._clock.learn(survey.now)
            changed = await self._view.refresh_if(survey.accounts_version)
            await wish.confirm(survey.keys_version)
            if error := refused(wish.fair_share, draw, survey.now):
                raise error
            if not changed and (draw is None or draw.drawn_at):
                break
        if draw is not None and not draw.drawn_at:
            raise StoreAway("API keys are being changed just now. Please try again.")
        return survey, self._candidates(wish)

    def _claim(self, wish: Wish, candidates: Sequence[Account]) -> FairShare | None:
        """What is claimed of the key's share: where the pool is scarce, once for each exchange."""
        share, below = wish.fair_share, self.strategy.fair_below
        if share is None or share.asked or not below:
            return None
        standings = [self._standing(account, wish.model) for account in candidates]
        return share if scarce(standings, now=self._clock(), below=below) else None

    def _candidates(self, wish: Wish) -> list[Account]:
        """Accounts that may serve a wish, cooling or not."""
        now = self._clock()
        return [
            account
            for account in self._accounts()
            if self._serves(account, wish, now) and self._facts.lists(account.id, wish.model)
        ]

    def _accounts(self) -> Collection[Account]:
        return self._view.accounts.values()

    def _serves(self, account: Account, wish: Wish, now: float) -> bool:
        """Whether an account may serve a wish, if it only lists the model."""
        allowed = wish.allowed_accounts
        usable = account.works(now) and not account.paused
        return usable and (not allowed or account.id in allowed)

    def _ballot(
        self,
        wish: Wish,
        survey: Survey,
        candidates: Sequence[Account],
        *,
        full: Collection[str],
    ) -> Ballot:
        self._breakers.see(survey.cooldowns)
        return Ballot(
            now=survey.now,
            routing=self.strategy.routing,
            cursor=survey.cursor,
            affine=survey.affine if wish.fingerprint else None,
            reserve=self.strategy.reserve,
            standings=tuple(
                self._standing(
                    account,
                    wish.model,
                    cooldown=survey.cooldowns.get(account.id),
                    full=account.id in full,
                )
                for account in candidates
            ),
        )

    def _standing(
        self,
        account: Account,
        model: str,
        *,
        cooldown: Cooldown | None = None,
        full: bool = False,
    ) -> Standing:
        return Standing(
            id=account.id,
            weight=account.weight,
            # Its code is upstream's own text, which no choice looks at and the log must not keep.
            cooldown=cooldown and msgspec.structs.replace(cooldown, code=""),
            half_open=self._breakers.half_open(account.id),
            windows=self._facts.windows(account.id, model),
            credits=self._facts.credits(account.id),
            full=full,
        )

    def _followed(self, candidates: Sequence[Account], model: str) -> Sequence[Account]:
        """Those whom a conversation may stay with: not the spent, unless everybody is."""
        now = self._clock()
        left = [
            account
            for account in candidates
            if plenty(self._standing(account, model), now=now, reserve=0) < Plenty.SPENT
        ]
        return left or candidates

    async def _lend(self, choice: Choice, ballot: Ballot, survey: Survey) -> Lease | None:
        """A lease on the chosen account; None if it has no usable credential after all."""
        account = self._view.accounts.get(choice.account_id)
        if account is None:  # removed while others were asked whether it may be probed
            return None
        credential = self._view.credential(account.id)
        if credential is None or not self._refresher.is_fresh(credential):
            try:
                credential = await self._refresher.fresh(account.id, held=credential)
            except CredentialUnavailable as error:
                await self._without_credential(account.id, error)
                return None
        sole = len(self._view.accounts) == 1
        return Lease(
            account=account,
            credential=credential,
            basis=choice.basis,
            why=choice.why,
            ballot=ballot,
            began=survey.now,
            own=sole or (survey.affine == account.id and not survey.promised),
            sole=sole,
            probe=choice.probe,
        )

    def _nobody(
        self, found: NoChoice, wish: Wish, survey: Survey, candidates: Sequence[Account]
    ) -> NoChoice:
        """Why there is nobody, by all candidates' cooldowns: also of those tried just now."""
        if found.cause is not Cause.EMPTY:
            return found
        if not candidates and any(self._serves(a, wish, survey.now) for a in self._accounts()):
            return NoChoice(cause=Cause.UNENTITLED)
        cooldowns = [survey.cooldowns[a.id] for a in candidates if a.id in survey.cooldowns]
        return why_nobody(cooldowns, survey.now)

    async def _without_credential(self, account_id: str, error: CredentialUnavailable) -> None:
        code = (
            "credential_revoked"
            if isinstance(error, CredentialRevoked)
            else "credential_unavailable"
        )
        await self._lessons.unavailable(account_id, code=code)
