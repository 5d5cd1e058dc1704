"""`codex-proapi accounts terms …`: show and set."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import rich_click as click

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.owner_terms.closing import WORDS, Term
from codex_proapi.commons.owner_terms.terms import OwnerTerms, ReservedPercent
from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.console.accounts.closed_accounts import closed_body, closed_by_owner
from codex_proapi.console.api.terms.bodies import (
    AccountTermsBody,
    audited,
    check_keys,
    form_of,
    terms_body,
)
from codex_proapi.console.cli.accounts import meant_account
from codex_proapi.console.cli.opened_store import OpenedStore, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.tables import plain, show_table
from codex_proapi.console.cli.terminal.times import told
from codex_proapi.console.cli.terms.spans import EXAMPLE, span_of, typed
from codex_proapi.console.errors import BadRequest, Code
from codex_proapi.console.server.error_responses import sentence_of

WINDOWS: Final = ReservedPercent.__struct_fields__
"""The kinds of windows of which a share may stay the owner's."""
_SHARE: Final = re.compile(r"([a-z_]+)=([0-9]{1,3}(?:\.[0-9]{1,3})?)%?")


@click.group()
def terms() -> None:
    """On which terms an account may be used: hours, a share that stays its owner's, keys, a pause."""


@terms.command("show")
@click.argument("account")
@json_option
@click.pass_obj
def show(environ: Mapping[str, str], account: str, *, as_json: bool) -> None:
    """The terms of ACCOUNT (id, name or e-mail), and how they close it now."""

    async def read(store: OpenedStore) -> AccountTermsBody:
        return await _body(store, await meant_account(store.accounts, account))

    _show(*with_store(environ, read), as_json=as_json)


@terms.command("set")
@click.argument("account")
@click.option("--time-zone", help="IANA name of the zone of the hours, such as Europe/Berlin.")
@click.option(
    "--hours",
    multiple=True,
    help=f"When it may be used, `{EXAMPLE}`; again for more, `always` for no hours.",
)
@click.option(
    "--reserve",
    multiple=True,
    help="Percent of a window that stays the owner's, `weekly=40`; also `five_hour`, `monthly`.",
)
@click.option(
    "--key-group", "groups", multiple=True, help="May use it; again for more, `all` for all keys."
)
@click.option(
    "--key", "keys", multiple=True, help="Id of a key that may use it; again for more, `all`."
)
@click.option("--paused/--not-paused", default=None, help="The owner's pause.")
@json_option
@click.pass_obj
def set_terms(
    environ: Mapping[str, str], /, account: str, *, as_json: bool, **provided: Any
) -> None:
    """Set the terms of ACCOUNT (id, name or e-mail); what is not named stays.

    Every gateway obeys with its next request. The terms of an account that has an owner are the
    owner's.
    """

    async def change(store: OpenedStore) -> AccountTermsBody:
        meant = await meant_account(store.accounts, account)
        if meant.owner:
            raise click.ClickException(plain(f"{meant.name}: {sentence_of(Code.OWNERS_TERMS)}"))
        after = _changed(meant.terms, **provided)
        _checked(after, meant.terms, known=await store.keys.names())
        if after != meant.terms:
            await store.accounts.set_terms(meant.id, after, owner="")
            before, now = audited(meant.terms, after)
            await store.note("account.terms_changed", account=meant.id, before=before, after=now)
        return await _body(store, await meant_account(store.accounts, meant.id))

    _show(*with_store(environ, change), as_json=as_json)


def _changed(
    before: OwnerTerms,
    *,
    time_zone: str | None,
    hours: Sequence[str],
    reserve: Sequence[str],
    groups: Sequence[str],
    keys: Sequence[str],
    paused: bool | None,
) -> OwnerTerms:
    """The terms with what the options name; click.BadParameter names the option."""
    changes: dict[str, Any] = {}
    if time_zone is not None:
        changes["time_zone"] = time_zone
    if hours:
        changes["hours"] = () if "always" in hours else tuple(map(_span, hours))
    if reserve:
        shares = dict(map(_share, reserve))
        changes["reserved_percent"] = msgspec.structs.replace(before.reserved_percent, **shares)
    if groups:
        changes["key_groups"] = () if "all" in groups else tuple(groups)
        if "all" in groups:
            changes["keys"] = ()
    if keys:
        changes["keys"] = () if "all" in keys else tuple(keys)
        if "all" in keys:
            changes.setdefault("key_groups", ())
    if paused is not None:
        changes["paused"] = paused
    if not changes:
        raise click.UsageError("nothing to change is named; see `accounts terms set --help`")
    readable = msgspec.structs.replace(before, unreadable=False)
    return msgspec.structs.replace(readable, **changes)


def _checked(after: OwnerTerms, before: OwnerTerms, *, known: Mapping[str, str]) -> None:
    """The terms are what the API would take; else click.ClickException says what is wrong."""
    try:
        form_of(after).terms(before)
        check_keys(after.keys, known=known, before=before.keys)
    except BadRequest as wrong:
        raise click.ClickException(wrong.message) from None


def _span(text: str) -> Any:
    try:
        return span_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--hours") from None


def _share(text: str) -> tuple[str, float]:
    found = _SHARE.fullmatch(text)
    if not found or found[1] not in WINDOWS:
        names = ", ".join(f"{each}=40" for each in WINDOWS)
        raise click.BadParameter(f"{text!r} is none of {names}", param_hint="--reserve")
    return found[1], float(found[2])


async def _body(store: OpenedStore, account: Account) -> AccountTermsBody:
    quota = (await QuotaStore(store.redis).all([account.id])).get(account.id)
    closed = closed_by_owner(account, quota, now=time.time())
    return terms_body(account, closed=closed_body(closed))


def _show(body: AccountTermsBody, calendar: Calendar, *, as_json: bool) -> None:
    if as_json:
        return print_json(body, calendar)
    form, closed = body.terms, body.closed
    reserved = msgspec.structs.asdict(form.reserved_percent)
    spans = msgspec.convert(msgspec.to_builtins(form), OwnerTerms).hours
    now = "open"
    if closed is not None:
        until = told(int(closed.until), calendar)
        now = WORDS[Term(closed.term)] + (f" until {until}" if until else "")
    facts = (
        ("account", body.account),
        ("owner", body.owner),
        ("now", now),
        ("hours", "; ".join(map(typed, spans)) or "always"),
        ("time zone", form.time_zone if spans else ""),
        ("stays the owner's", ", ".join(f"{n} {p:g} %" for n, p in reserved.items() if p)),
        ("key groups", ", ".join(form.key_groups)),
        ("keys", ", ".join(form.keys) or ("" if form.key_groups else "all")),
        ("paused", "yes" if form.paused else ""),
        ("agreed", told(body.consent_at, calendar)),
    )
    return show_table(("WHAT", "VALUE"), [(name, value) for name, value in facts if value])
