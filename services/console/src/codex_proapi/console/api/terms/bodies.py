"""The terms of an account as the API has them: every field is there, and an unknown one is refused."""

from collections.abc import Collection, Sequence

import msgspec

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.owner_terms.terms import DAYS, InvalidTerms, OwnerTerms, check
from codex_proapi.console.accounts.closed_accounts import ClosedBody
from codex_proapi.console.auth.audit import Facts
from codex_proapi.console.errors import BadRequest


class SpanBody(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"begin": "from", "end": "until"},
):
    """A span of each of some days, by the clock of the time zone."""

    days: tuple[str, ...] = DAYS
    """`mon` to `sun`: the days on which it begins."""
    begin: str = "00:00"
    """`HH:MM`; included."""
    end: str = "24:00"
    """`HH:MM` or `24:00`; not included. Before `from` it is that of the next day."""


class ReservedBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Percent of each kind of quota window that stays the owner's."""

    five_hour: float = 0.0
    weekly: float = 0.0
    monthly: float = 0.0


class TermsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On which terms an account may be used."""

    time_zone: str = "UTC"
    """IANA name of the zone of the hours."""
    hours: tuple[SpanBody, ...] = ()
    """When requests may be begun; empty is always."""
    reserved_percent: ReservedBody = ReservedBody()
    key_groups: tuple[str, ...] = ()
    """Groups of API keys that may use it."""
    keys: tuple[str, ...] = ()
    """Ids of API keys that may use it; with neither groups nor keys, every key may."""
    paused: bool = False
    """Whether the owner has paused it; the administrator's pause is the account's `paused`."""

    def terms(self, before: OwnerTerms) -> OwnerTerms:
        """These terms, with the consent of those before. Raises BadRequest if they are wrong."""
        found = msgspec.convert(msgspec.to_builtins(self), OwnerTerms)
        found = msgspec.structs.replace(found, consent=before.consent)
        try:
            check(found)
        except InvalidTerms as wrong:
            raise BadRequest(message=f"{wrong.parameter} {wrong}.", param=wrong.parameter) from None
        return found


class TermsChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an owner changes of an account's terms; what is left out stays."""

    time_zone: str | msgspec.UnsetType = msgspec.UNSET
    hours: tuple[SpanBody, ...] | msgspec.UnsetType = msgspec.UNSET
    reserved_percent: ReservedBody | msgspec.UnsetType = msgspec.UNSET
    key_groups: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    keys: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    paused: bool | msgspec.UnsetType = msgspec.UNSET

    def terms(self, before: OwnerTerms) -> OwnerTerms:
        """The terms with these changes.

        Raises BadRequest if they are wrong, or if those before cannot be read and some would stay.
        """
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        changes = {name: value for name, value in values.items() if value is not msgspec.UNSET}
        if before.unreadable and len(changes) < len(values):
            raise BadRequest(
                message="A newer version has stored these terms: set all of them.", param="terms"
            )
        return msgspec.structs.replace(form_of(before), **changes).terms(before)


class AccountTermsBody(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of one account."""

    account: str
    owner: str
    """Id of its owner; empty if it has none, and only then the administrator changes the terms."""
    terms: TermsBody
    unreadable: bool
    """Whether this version cannot read what is stored: the account is closed, the terms are none."""
    consent_at: int
    """When the owner agreed, seconds since the epoch; 0 is never."""
    consent_wording: str
    """Version of the wording."""
    closed: ClosedBody | None
    """How every key is kept off the account now; null if it is open."""


def terms_body(account: Account, *, closed: ClosedBody | None) -> AccountTermsBody:
    """The terms of an account as the API shows them; `closed` is how they close it now."""
    terms = account.terms
    return AccountTermsBody(
        account=account.id,
        owner=account.owner,
        terms=form_of(terms),
        unreadable=terms.unreadable,
        consent_at=terms.consent.at,
        consent_wording=terms.consent.wording,
        closed=closed,
    )


def form_of(terms: OwnerTerms) -> TermsBody:
    """Terms as they are set."""
    values = msgspec.to_builtins(terms)
    known = {name: value for name, value in values.items() if name in TermsBody.__struct_fields__}
    return msgspec.convert(known, TermsBody)


def audited(before: OwnerTerms, after: OwnerTerms) -> tuple[Facts, Facts]:
    """What differs between two terms, as the audit has it: before and after."""
    old, new = form_of(before), form_of(after)
    names = [n for n in TermsBody.__struct_fields__ if getattr(old, n) != getattr(new, n)]
    return _facts(old, names), _facts(new, names)


def _facts(form: TermsBody, names: list[str]) -> Facts:
    facts: dict[str, str | int | float | bool] = {}
    for name in names:
        value = getattr(form, name)
        plain = isinstance(value, str | bool)
        facts[name] = value if plain else msgspec.json.encode(value).decode()
    return facts


def check_keys(keys: Sequence[str], *, known: Collection[str], before: Sequence[str]) -> None:
    """Raise BadRequest for an id of no key; one that stood there before may stay."""
    for number, key in enumerate(keys):
        if key not in known and key not in before:
            param = f"keys[{number}]"
            raise BadRequest(message=f"{param} is not the id of an API key.", param=param)
