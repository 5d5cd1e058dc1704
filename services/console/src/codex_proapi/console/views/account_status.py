"""The state of an account in one word, with cause and cure. Pure.

Chosen from the login's state, whether it is paused, and the cooldown; pages translate it.
"""

import enum
from collections.abc import Sequence

import msgspec

from codex_proapi.commons.accounts.kinds import TOKEN_REFUSED
from codex_proapi.commons.accounts.model import (
    PERSONAL_TOKEN,
    Account,
    AccountState,
    Cooldown,
    CooldownReason,
)
from codex_proapi.commons.owner_terms.closing import Closed
from codex_proapi.console.texts.phrases import N_
from codex_proapi.console.views.quota_windows import SPENT_LEFT, Bar, Tone


class Word(enum.StrEnum):
    """The state of an account."""

    READY = "ready"
    PAUSED = "paused"
    CLOSED = "closed"
    SPENT = "spent"
    RESERVE = "reserve"
    COOLING = "cooling"
    UNREACHABLE = "unreachable"
    TOKEN = "token"  # noqa: S105 - a word about a token, not one
    ENTITLEMENT = "entitlement"
    SUBSTITUTED = "substituted"
    SIGN_IN = "sign_in"
    NEW_TOKEN = "new_token"  # noqa: S105 - a word about a token, not one
    DISABLED = "disabled"
    UNKNOWN = "unknown"


WORDS: dict[Word, str] = {
    Word.READY: N_("Ready"),
    Word.PAUSED: N_("Paused"),
    Word.CLOSED: N_("Not offered now"),
    Word.SPENT: N_("Quota used up"),
    Word.RESERVE: N_("Reserve only"),
    Word.COOLING: N_("Cooling down"),
    Word.UNREACHABLE: N_("Unreachable"),
    Word.TOKEN: N_("Token refused"),
    Word.ENTITLEMENT: N_("Not entitled"),
    Word.SUBSTITUTED: N_("Another model answered"),
    Word.SIGN_IN: N_("Sign in again"),
    Word.NEW_TOKEN: N_("Needs a new token"),
    Word.DISABLED: N_("Disabled by OpenAI"),
    Word.UNKNOWN: N_("Not known to this version"),
}
CAUSES: dict[Word, str] = {
    Word.PAUSED: N_("You took it out of rotation."),
    Word.CLOSED: N_("Its owner's terms do not offer it now."),
    Word.SPENT: N_("A usage window of its plan is spent."),
    Word.RESERVE: N_("A usage window of its plan is spent; its Luna Reserve is open."),
    Word.COOLING: N_("OpenAI asked for a pause after many requests in a short time."),
    Word.UNREACHABLE: N_("Several requests in a row failed on the way."),
    Word.TOKEN: N_("OpenAI refused its token, and it could not be renewed yet."),
    Word.ENTITLEMENT: N_("Its plan or workspace refused Codex or the model."),
    Word.SUBSTITUTED: N_("OpenAI answered with another model than was asked for."),
    Word.SIGN_IN: N_("OpenAI no longer accepts its login."),
    Word.NEW_TOKEN: N_("OpenAI no longer accepts its personal access token."),
    Word.DISABLED: N_("OpenAI has closed the account, or its plan has no Codex."),
    Word.UNKNOWN: N_("A newer version of Codex Pro API has written a state that this one lacks."),
}
CURES: dict[Word, str] = {
    Word.PAUSED: N_("Resume it when it may serve again."),
    Word.CLOSED: N_("It comes back when its owner's terms allow it."),
    Word.SPENT: N_("It comes back by itself when the window resets."),
    Word.RESERVE: N_("It serves the reserve's model alone, until the window resets."),
    Word.COOLING: N_("It comes back by itself in a moment."),
    Word.UNREACHABLE: N_("It is tried again by itself. If it stays, check the connection."),
    Word.TOKEN: N_("It is tried again by itself. If it stays, sign in again."),
    Word.ENTITLEMENT: N_("Check its plan and workspace, or pause it."),
    Word.SUBSTITUTED: N_("It is passed over for a while; it comes back by itself."),
    Word.SIGN_IN: N_("Sign in again; name, history and keys stay."),
    Word.NEW_TOKEN: N_("Make a new token in ChatGPT and replace it; name, history and keys stay."),
    Word.DISABLED: N_("Ask OpenAI's support, or remove it."),
    Word.UNKNOWN: N_("Finish the upgrade."),
}
OWNERS_CAUSES: dict[Word, str] = {
    Word.PAUSED: N_("The administrator has taken it out of rotation."),
    Word.CLOSED: N_("Your terms do not offer it now."),
}
"""Causes in other words, for the owner of the account."""
OWNERS_FAULTS: dict[str, str] = {
    "closed_by_paused": N_("You have paused it."),
    "closed_by_hours": N_("It is outside your hours."),
    "closed_by_share": N_("What is left of a window stays yours."),
    "closed_by_reading": N_("A share stays yours, and nobody knows just now what is left."),
}
"""Codes in other words, for the owner of the account."""
OWNERS_CURES: dict[Word, str] = {
    Word.PAUSED: N_("It is used again when the administrator resumes it."),
    Word.ENTITLEMENT: N_("Check its plan and workspace."),
    Word.SIGN_IN: N_("Sign in again; terms and history stay."),
    Word.DISABLED: N_("Ask OpenAI's support, or take it out of the pool."),
    Word.CLOSED: N_("Your terms decide when it is used again."),
    Word.UNKNOWN: N_("Tell your administrator."),
}
"""Cures in other words, for the owner of the account."""
_COOLING: dict[CooldownReason, Word] = {
    CooldownReason.QUOTA: Word.SPENT,
    CooldownReason.RATE: Word.COOLING,
    CooldownReason.TRANSIENT: Word.UNREACHABLE,
    CooldownReason.CREDENTIAL: Word.TOKEN,
    CooldownReason.ENTITLEMENT: Word.ENTITLEMENT,
    CooldownReason.SUBSTITUTED: Word.SUBSTITUTED,
    CooldownReason.UNKNOWN: Word.COOLING,
}
_TONES: dict[Word, Tone] = {
    Word.READY: Tone.OK,
    Word.PAUSED: Tone.UNKNOWN,
    Word.CLOSED: Tone.UNKNOWN,
    Word.SPENT: Tone.WARN,
    Word.RESERVE: Tone.WARN,
    Word.COOLING: Tone.WARN,
    Word.SUBSTITUTED: Tone.WARN,
    Word.SIGN_IN: Tone.BAD,
    Word.NEW_TOKEN: Tone.BAD,
    Word.DISABLED: Tone.BAD,
    Word.UNKNOWN: Tone.WARN,
    Word.UNREACHABLE: Tone.BAD,
    Word.TOKEN: Tone.BAD,
    Word.ENTITLEMENT: Tone.BAD,
}
_ATTENTION = frozenset(
    {
        *(Word.SIGN_IN, Word.NEW_TOKEN, Word.DISABLED, Word.ENTITLEMENT),
        *(Word.UNREACHABLE, Word.TOKEN),
    }
)


_RETRIED = frozenset(
    {
        Word.SPENT,
        Word.RESERVE,
        Word.COOLING,
        Word.UNREACHABLE,
        Word.TOKEN,
        Word.ENTITLEMENT,
        Word.DISABLED,
    }
)


class AccountStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An account's state: the word, until when, and the code behind it."""

    word: Word
    until: int = 0
    """When it ends by itself, seconds since the epoch; 0 when it does not, or is unknown."""
    code: str = ""
    """Error code behind it, if any."""

    @property
    def tone(self) -> Tone:
        """The severity."""
        return _TONES[self.word]

    @property
    def label(self) -> str:
        """The word, untranslated."""
        return WORDS[self.word]

    @property
    def cause(self) -> str:
        """Why, untranslated; empty when all is well."""
        return CAUSES.get(self.word, "")

    @property
    def cure(self) -> str:
        """What to do, untranslated; empty when nothing is to be done."""
        return CURES.get(self.word, "")

    @property
    def owners_fault(self) -> str:
        """What the code means to the account's owner, untranslated; empty if it is the same."""
        return OWNERS_FAULTS.get(self.code, "")

    @property
    def owners_cause(self) -> str:
        """Why, as the account's owner is told, untranslated."""
        return OWNERS_CAUSES.get(self.word, self.cause)

    @property
    def owners_cure(self) -> str:
        """What the owner can do, untranslated."""
        return OWNERS_CURES.get(self.word, self.cure)

    @property
    def signs_in(self) -> bool:
        """Whether signing in again is what helps."""
        return self.word in {Word.SIGN_IN, Word.NEW_TOKEN, Word.TOKEN}

    @property
    def retries(self) -> bool:
        """Whether an administrator may end its cooldown early."""
        return self.word in _RETRIED

    @property
    def answers_never(self) -> bool:
        """Whether it cannot serve until an administrator acts."""
        if self.word is Word.CLOSED:
            return not self.until
        return self.word in {
            Word.PAUSED,
            Word.SIGN_IN,
            Word.NEW_TOKEN,
            Word.DISABLED,
            Word.UNKNOWN,
            Word.ENTITLEMENT,
        }

    @property
    def needs_attention(self) -> bool:
        """Whether it needs an administrator's attention."""
        return self.word in _ATTENTION


def status_of(
    account: Account,
    *,
    cooldown: Cooldown | None,
    bars: Sequence[Bar],
    now: float,
    closed: Closed | None = None,
    reserve: str = "",
) -> AccountStatus:
    """Choose the state: those that need an administrator first, then paused, then temporary ones.

    `closed` is how its owner's terms close it; `reserve` the model that its reserve serves while the
    ordinary windows are shut.
    """
    match account.state:
        case AccountState.DEACTIVATED:
            return AccountStatus(word=Word.DISABLED, code=account.state_reason)
        case AccountState.REVOKED if account.kind == PERSONAL_TOKEN:
            return AccountStatus(word=Word.NEW_TOKEN, code=TOKEN_REFUSED)
        case AccountState.REVOKED:
            return AccountStatus(word=Word.SIGN_IN, code=account.state_reason)
        case AccountState.UNKNOWN:
            return AccountStatus(word=Word.UNKNOWN)
        case AccountState.ACTIVE:
            pass
    status = _passing(account, cooldown=cooldown, bars=bars, now=now, closed=closed)
    if reserve and status.word is Word.SPENT:
        return msgspec.structs.replace(status, word=Word.RESERVE, code="")
    return status


def _passing(
    account: Account,
    *,
    cooldown: Cooldown | None,
    bars: Sequence[Bar],
    now: float,
    closed: Closed | None,
) -> AccountStatus:
    """The state of a login that works: paused, a temporary one, or ready."""
    if account.paused:
        return AccountStatus(word=Word.PAUSED)
    if closed is not None:
        code = f"closed_by_{closed.term.value}"
        return AccountStatus(word=Word.CLOSED, until=int(closed.until), code=code)
    if cooldown is not None and cooldown.until > now:
        word = _COOLING[cooldown.reason]
        return AccountStatus(word=word, until=int(cooldown.until), code=cooldown.code)
    spent = [bar for bar in bars if bar.left is not None and bar.left <= SPENT_LEFT]
    if spent:
        return AccountStatus(word=Word.SPENT, until=max(bar.resets_at for bar in spent))
    return AccountStatus(word=Word.READY)
