"""An owner's own page, and the page an invitation leads to."""

from collections.abc import Mapping

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.enums import MediaType

from codex_proapi.commons.owner_terms.terms import OwnerTerms, zone_names
from codex_proapi.console.api.owners.entry import owner_of_accounts
from codex_proapi.console.api.owners.records import ENTRY_PAGE
from codex_proapi.console.auth.identity import identity_of
from codex_proapi.console.layout.layout import (
    LIVE_HEADER,
    AnyRequest,
    live_response,
    preferences,
)
from codex_proapi.console.layout.rendering import render, render_in_steps
from codex_proapi.console.owners.consent import CURRENT, WORDINGS
from codex_proapi.console.owners.owner_store import Owner
from codex_proapi.console.pages.accounts import known_fault, ways_of
from codex_proapi.console.resets.known_resets import KnownResets, read_known_resets
from codex_proapi.console.server.error_responses import OWNER_PAGE
from codex_proapi.console.views.account_list import AccountRow, load_accounts
from codex_proapi.console.views.owners.hours import DAY_NAMES, HoursLine, hours_lines
from codex_proapi.console.views.owners.own_usage import OwnUsage, usage_of
from codex_proapi.console.views.sources import Sources

LONGEST_TOKEN = 200


class OwnAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account as its owner sees it."""

    row: AccountRow
    terms: OwnerTerms
    hours: tuple[HoursLine, ...]
    keys: tuple[str, ...]
    """Names of the keys that may use it, and of no others."""
    usage: OwnUsage
    resets: KnownResets | None
    """Its saved resets as they were last read; None if they never were."""
    wording: tuple[str, ...]
    """The wording that was agreed to, untranslated; empty if this version does not know it."""
    agreed: bool
    """Whether that is the wording of today, so that signing in again needs no other."""
    form: str
    """What its form of terms begins with, as JSON."""


class OwnView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    owner: Owner
    csrf: str
    accounts: tuple[OwnAccount, ...]
    key_groups: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    """Ids and names of the keys that terms may choose among, by name."""
    zones: tuple[str, ...]
    days: Mapping[str, str]
    wording: tuple[str, ...]
    consent: str
    """The version of the wording."""
    added: str
    """Name of the account that was just signed in."""
    login_error: str
    login_request_id: str
    ways: tuple[tuple[str, str, str], ...]
    redirect_uri: str
    at_registered_address: bool


@get(OWNER_PAGE, opt={"page": True, "owner": True}, include_in_schema=False)
async def own_page(request: AnyRequest, sources: NamedDependency[Sources]) -> Response[str]:
    """The accounts of the owner who asks."""
    identity = identity_of(request.scope)
    view = await _view(request, sources, owner_of_accounts(identity), csrf=identity.csrf)
    live = LIVE_HEADER in request.headers
    html = await render_in_steps("owner.html", preferences(request), live=live, view=view)
    return live_response(request, html)


@get(ENTRY_PAGE, opt={"page": True, "public": True, "passive": True}, include_in_schema=False)
async def owner_entry_page(request: AnyRequest) -> Response[str]:
    """What an invitation shows: a button, so that looking at the link does not use it up."""
    html = render(
        "owner_entry.html",
        preferences(request),
        page="owner_entry",
        csrf=identity_of(request.scope).csrf,
        token=request.query_params.get("link", "")[:LONGEST_TOKEN],
    )
    return Response(html, media_type=MediaType.HTML)


async def _view(request: AnyRequest, sources: Sources, owner: Owner, *, csrf: str) -> OwnView:
    overview = await load_accounts(sources, owner=owner.id)
    ids = [row.id for row in overview.rows]
    usage = await usage_of(sources, ids)
    now = sources.clock()
    resets = await read_known_resets(sources.resets, ids, now=now)
    keys = [key for key in await sources.keys.list() if not (key.revoked or key.expired(now))]
    names = {key.id: key.name for key in keys}
    asked, ways = request.query_params, ways_of(request, sources)
    signed_in = asked.get("signed_in", "")
    return OwnView(
        owner=owner,
        csrf=csrf,
        accounts=tuple(
            _account(row, names, usage[row.id], resets.get(row.id)) for row in overview.rows
        ),
        key_groups=tuple(sorted({key.group for key in keys if key.group}, key=str.casefold)),
        keys=tuple(sorted(names.items(), key=lambda each: (each[1].casefold(), each[0]))),
        zones=tuple(sorted(zone_names())),
        days=DAY_NAMES,
        wording=WORDINGS[CURRENT],
        consent=CURRENT,
        added=next((row.name for row in overview.rows if row.id == signed_in), ""),
        login_error=known_fault(asked.get("login_error", "")),
        login_request_id=asked.get("request_id", "")[:40],
        ways=ways.ways,
        redirect_uri=ways.redirect_uri,
        at_registered_address=ways.at_registered_address,
    )


def _account(
    row: AccountRow, keys: Mapping[str, str], usage: OwnUsage, resets: KnownResets | None
) -> OwnAccount:
    terms = row.terms
    form = {
        "id": row.id,
        "time_zone": terms.time_zone,
        "hours": terms.hours,
        "reserved_percent": {
            name: getattr(terms.reserved_percent, name)
            for name in terms.reserved_percent.__struct_fields__
        },
        "key_groups": terms.key_groups,
        "keys": terms.keys,
    }
    return OwnAccount(
        row=row,
        terms=terms,
        hours=hours_lines(terms),
        keys=tuple(keys[key] for key in terms.keys if key in keys),
        usage=usage,
        resets=resets,
        wording=WORDINGS.get(terms.consent.wording, ()),
        agreed=bool(terms.consent.at) and terms.consent.wording == CURRENT,
        form=msgspec.json.encode(form).decode(),
    )
