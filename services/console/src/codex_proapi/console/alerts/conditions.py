"""Which conditions hold now, from the figures of one moment. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from codex_proapi.console.alerts.kinds import AlertKind, Subject

DAY = 86_400
WINDOW_PERCENT = 10.0
"""Percent left below which a window counts as nearly spent, unless the settings say otherwise."""
BACKUP_DAYS = 7
"""Days after which a backup is too old, unless the settings say otherwise."""
WINDOW_MARGIN = 5.0
"""Percent that a window must have more than the threshold before it counts as recovered."""
DRIFT_SECONDS = DAY
"""How long after it was last seen something new counts as going on."""
RESET_SECONDS = 3 * DAY
"""How long before a saved reset is lost that is told."""
SIGN_IN_STATES = frozenset({"sign_in", "new_token", "disabled"})

AlertKey = tuple[AlertKind, str]
"""What tells two alerts apart: the kind and the subject's id."""


class WindowFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A quota window of an account."""

    minutes: int
    left: float | None
    """Percent; None is unknown."""
    resets_at: int


class SubstitutionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A model in whose place another one answered on an account not long ago."""

    sent: str
    answered: str


class AccountFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An account."""

    id: str
    name: str
    state: str
    """The word for its state, as the console has it."""
    paused: bool
    until: int
    """When its state ends by itself, seconds since the epoch; 0 is not, or unknown."""
    outside_hours: bool = False
    """Whether nothing but its owner's hours closes it."""
    reset_ends_at: int = 0
    """When the first of its saved resets is lost, seconds since the epoch; 0 is none, or unknown."""
    windows: tuple[WindowFacts, ...] = ()
    substitutions: tuple[SubstitutionFacts, ...] = ()


class DriftFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Something new that the backend sent."""

    sort: str
    """`event`, `field` or `refusal`."""
    name: str
    first_at: int
    last_at: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything conditions are read from, at one moment."""

    at: float
    accounts: tuple[AccountFacts, ...] = ()
    drift: tuple[DriftFacts, ...] = ()
    backup_at: int = 0
    """The last backup, seconds since the epoch; 0 is none."""
    watched_since: int = 0
    """Since when somebody wants alerts: before a first backup its age counts from here."""
    window_percent: float = WINDOW_PERCENT
    backup_days: int = BACKUP_DAYS
    """0: backups are made elsewhere."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome."""

    holding: Mapping[AlertKey, Subject]
    undecided: frozenset[AlertKey]
    """Neither holds nor has ended: unknown, or between two thresholds."""


def find_conditions(facts: Facts) -> Findings:
    """The conditions that hold, and those that cannot be decided."""
    holding: dict[AlertKey, Subject] = {}
    undecided: set[AlertKey] = set()
    for account in facts.accounts:
        if account.state in SIGN_IN_STATES:
            holding[AlertKind.ACCOUNT_SIGN_IN, account.id] = Subject(
                id=account.id, name=account.name, state=account.state
            )
        else:
            _windows(account, facts.window_percent, holding, undecided)
            if 0 < account.reset_ends_at - facts.at < RESET_SECONDS:
                holding[AlertKind.RESET_EXPIRING, account.id] = Subject(
                    id=account.id, name=account.name, at=account.reset_ends_at
                )
        for seen in account.substitutions:
            subject = _substitution(account, seen)
            holding[AlertKind.MODEL_SUBSTITUTED, subject.id] = subject
    if (pool := _pool(facts.accounts)) is not None:
        holding[AlertKind.POOL_DRY, pool.id] = pool
    elif _outside_hours(facts.accounts):
        undecided.add((AlertKind.POOL_DRY, POOL))
    if (backup := _backup(facts)) is not None:
        holding[AlertKind.BACKUP_OLD, backup.id] = backup
    for new in facts.drift:
        if facts.at - new.last_at < DRIFT_SECONDS:
            subject = Subject(
                id=f"{new.sort} {new.name}", name=new.name, state=new.sort, at=new.first_at
            )
            holding[AlertKind.UPSTREAM_DRIFT, subject.id] = subject
    return Findings(holding=holding, undecided=frozenset(undecided))


def _windows(
    account: AccountFacts,
    percent: float,
    holding: dict[AlertKey, Subject],
    undecided: set[AlertKey],
) -> None:
    """Sort an account's windows: nearly spent, or not to be decided."""
    for window in account.windows:
        key = AlertKind.WINDOW_LOW, f"{account.id}/{window.minutes}"
        if account.paused or window.left is None:
            undecided.add(key)
        elif window.left <= percent:
            holding[key] = _window(account, window, key[1])
        elif window.left <= percent + WINDOW_MARGIN:
            undecided.add(key)


def _window(account: AccountFacts, window: WindowFacts, subject_id: str) -> Subject:
    return Subject(
        id=subject_id,
        name=account.name,
        minutes=window.minutes,
        left=window.left,
        at=window.resets_at,
    )


def _substitution(account: AccountFacts, seen: SubstitutionFacts) -> Subject:
    return Subject(
        id=f"{account.id}/{seen.sent}",
        name=account.name,
        sent_model=seen.sent,
        answered_model=seen.answered,
    )


POOL, BACKUP = "pool", "backup"
CLOSED = "closed"
"""State of an account that its owner's terms close."""


def _pool(accounts: Sequence[AccountFacts]) -> Subject | None:
    """The pool, if it has accounts and none can be asked, other than as its owners' hours say."""
    if not accounts or any(account.state == "ready" for account in accounts):
        return None
    if _outside_hours(accounts):
        return None
    closed = all(account.state == CLOSED for account in _serving(accounts))
    return Subject(
        id=POOL,
        state=CLOSED if closed and _serving(accounts) else "",
        at=min((a.until for a in accounts if a.until), default=0),
    )


def _outside_hours(accounts: Sequence[AccountFacts]) -> bool:
    """Whether all accounts that serve are outside their owners' hours: that was planned."""
    serving = _serving(accounts)
    return bool(serving) and all(account.outside_hours for account in serving)


def _serving(accounts: Sequence[AccountFacts]) -> Sequence[AccountFacts]:
    """Accounts that serve, now or later by themselves."""
    return [a for a in accounts if not a.paused and a.state not in SIGN_IN_STATES]


def _backup(facts: Facts) -> Subject | None:
    """The backup, if it is too old."""
    since = facts.backup_at or facts.watched_since
    if not facts.backup_days or not since or facts.at - since <= facts.backup_days * DAY:
        return None
    return Subject(id=BACKUP, at=facts.backup_at)
