"""What alerts tell: their kinds, what they are about, and the notifications that are delivered."""

import enum

import msgspec


class AlertKind(enum.StrEnum):
    """What an alert is about; destinations choose among them."""

    ACCOUNT_SIGN_IN = "account_sign_in"
    """An account serves no more until somebody signs it in, or OpenAI has closed it."""
    WINDOW_LOW = "window_low"
    """A quota window of an account is nearly spent."""
    POOL_DRY = "pool_dry"
    """No account can be asked."""
    RESET_EXPIRING = "reset_expiring"
    """A saved reset of an account is about to be lost unused."""
    MODEL_SUBSTITUTED = "model_substituted"
    """An account answered with another model than was sent."""
    UPSTREAM_DRIFT = "upstream_drift"
    """The backend sent an event, a field or a refusal that was never seen before."""
    BACKUP_OLD = "backup_old"
    """The last backup is too old, or there is none."""


class Phase(enum.StrEnum):
    """Which end of an alert a notification tells."""

    FIRING = "firing"
    RESOLVED = "resolved"
    TEST = "test"
    """An administrator tries a destination."""


class Subject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing an alert is about; fields that its kind does not have are left out."""

    id: str
    """Id of the account, with the window's minutes for a window; the name of what was seen."""
    name: str = ""
    """What the console calls it."""
    state: str = ""
    """State of the account, `sign_in`, `new_token` or `disabled`; of the pool `closed` if its owners'
    terms close it; of drift `event`, `field` or `refusal`."""
    sent_model: str = ""
    """The model in whose place another one answered."""
    answered_model: str = ""
    minutes: int = 0
    """Length of the quota window."""
    left: float | None = None
    """Percent left of the window."""
    at: int = 0
    """Seconds since the epoch: the window's reset, when the pool recovers, when a saved reset is lost,
    when it was seen first, the last backup; 0 is unknown."""


class Notification(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one message tells: alerts of one kind that began, or ended, in the same round."""

    id: str
    """Random; the same at every try, so that a receiver can tell a repetition."""
    kind: AlertKind
    phase: Phase
    at: int
    """Seconds since the epoch."""
    subjects: tuple[Subject, ...] = ()
    """At most MOST_SUBJECTS."""
    more: int = 0
    """How many subjects were left out."""


MOST_SUBJECTS = 50
"""Most subjects in one message."""
