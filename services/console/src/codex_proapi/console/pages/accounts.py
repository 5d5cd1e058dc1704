"""Pages of the accounts: the list with the ways to add one, and one account."""

from collections.abc import Mapping

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from codex_proapi.commons.owner_terms.terms import NO_TERMS
from codex_proapi.console.api.logins import returns_here
from codex_proapi.console.errors import Code, NotFound
from codex_proapi.console.layout.layout import AnyRequest, page
from codex_proapi.console.owners.owner_store import OwnerStore
from codex_proapi.console.resets.known_resets import KnownResets, read_known_resets
from codex_proapi.console.server.parameters import Id
from codex_proapi.console.texts.phrases import FAULTS, N_
from codex_proapi.console.views.account_list import (
    AccountOverview,
    AccountRow,
    load_accounts,
    sort_of,
    sort_rows,
)
from codex_proapi.console.views.figures import Failure, failure_of
from codex_proapi.console.views.owners.hours import HoursLine, hours_lines
from codex_proapi.console.views.paging import ListPage, page_of
from codex_proapi.console.views.sources import Sources

ENTRIES = 500
"""Most log entries read for an account's last requests."""
LAST_REQUESTS = 10
NO_OWNER = "none"
"""Stands in the address for accounts without an owner."""

_WAYS = {
    "device": (N_("Device code"), "device"),
    "pasted": (N_("Paste address"), "link"),
    "browser": (N_("This browser"), "window"),
    "auth_json": ("auth.json", "file"),
    "access_token": (N_("Access token"), "keys"),
}


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """The ways to add an account, the best one for this visitor first."""

    ways: tuple[tuple[str, str, str], ...]
    """Name, label (untranslated) and icon of each."""
    redirect_uri: str
    at_registered_address: bool
    """Whether a browser that OpenAI sends back would come to us."""


class AccountsView(msgspec.Struct, frozen=True, kw_only=True):
    """All the list shows."""

    listed: ListPage[AccountRow]
    total: int
    ready: int
    needing: int
    sort: str
    owners: Mapping[str, str]
    """Names of the owners of accounts, by id."""
    owner: str
    """The owner whose accounts are shown alone; `none` is of those without one, empty all."""
    added: str
    """Name of the account that was just signed in."""
    login_error: str
    login_request_id: str
    ways: tuple[tuple[str, str, str], ...]
    redirect_uri: str
    at_registered_address: bool


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """All one account's page shows."""

    account: AccountRow
    owner: str
    """Name of its owner; empty if it has none but the administrator."""
    on_terms: bool
    """Whether there are terms of its use."""
    hours: tuple[HoursLine, ...]
    keys: tuple[str, ...]
    """Names of the keys that its owner's terms admit."""
    resets: KnownResets | None
    """Its saved resets as they were last read; None if they never were."""
    entries: list[Failure]
    ways: tuple[tuple[str, str, str], ...]
    redirect_uri: str
    at_registered_address: bool


@get("/accounts", opt={"page": True}, include_in_schema=False)
async def accounts_page(
    request: AnyRequest,
    sources: NamedDependency[Sources],
    owners: NamedDependency[OwnerStore],
) -> Response[str]:
    """Every account, with what it is up to."""
    overview = await load_accounts(sources)
    asked = request.query_params
    names = {owner.id: owner.name for owner in await owners.all()}
    owner = asked.get("owner", "") if asked.get("owner", "") in {*names, NO_OWNER} else ""
    rows = [row for row in overview.rows if not owner or (row.owner or NO_OWNER) == owner]
    order = sort_of(asked.get("sort", ""))
    ways = ways_of(request, sources)
    view = AccountsView(
        listed=page_of(
            sort_rows(rows, order),
            asked,
            text=lambda row: (
                f"{row.name} {row.email} {row.plan} {row.id} {names.get(row.owner, '')}"
            ),
        ),
        total=len(overview.rows),
        ready=overview.ready,
        needing=len(overview.attention),
        sort=order,
        owners=names,
        owner=owner,
        added=_name_of(asked.get("signed_in", ""), overview),
        login_error=known_fault(asked.get("login_error", "")),
        login_request_id=asked.get("request_id", "")[:40],
        ways=ways.ways,
        redirect_uri=ways.redirect_uri,
        at_registered_address=ways.at_registered_address,
    )
    return await page(request, sources, overview, "accounts.html", view=view)


@get("/accounts/{account_id:str}", opt={"page": True}, include_in_schema=False)
async def account_page(
    request: AnyRequest,
    account_id: Id,
    sources: NamedDependency[Sources],
    owners: NamedDependency[OwnerStore],
) -> Response[str]:
    """One account: its facts, a test, and what it did last."""
    overview = await load_accounts(sources)
    row = next((row for row in overview.rows if row.id == account_id), None)
    if row is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT)
    names = {row.id: row.name for row in overview.rows}
    recent = [stored.entry for stored in await sources.logs.page(count=ENTRIES)]
    own = [e for e in recent if e.exchange is not None and e.account == account_id]
    ways = ways_of(request, sources)
    owner = await owners.get(row.owner) if row.owner else None
    keys = await sources.keys.names() if row.terms.keys else {}
    resets = await read_known_resets(sources.resets, [account_id], now=sources.clock())
    view = AccountView(
        account=row,
        owner=owner.name if owner else row.owner,
        on_terms=row.terms != NO_TERMS,
        hours=hours_lines(row.terms),
        keys=tuple(keys.get(key, key) for key in row.terms.keys),
        resets=resets.get(account_id),
        entries=[failure_of(entry, names) for entry in own[:LAST_REQUESTS]],
        ways=ways.ways,
        redirect_uri=ways.redirect_uri,
        at_registered_address=ways.at_registered_address,
    )
    return await page(request, sources, overview, "account.html", view=view)


def ways_of(request: AnyRequest, sources: Sources) -> Ways:
    """The ways to add an account; the browser only where the registered address is this console."""
    redirect_uri = sources.settings.redirect_uri
    returns = returns_here(request, sources.settings)
    order = ["device", "pasted", "auth_json", "access_token"]
    if returns:
        order.insert(0, "browser")
    return Ways(
        ways=tuple((way, *_WAYS[way]) for way in order),
        redirect_uri=redirect_uri,
        at_registered_address=returns,
    )


def _name_of(account_id: str, overview: AccountOverview) -> str:
    return next((row.name for row in overview.rows if row.id == account_id), "")


def known_fault(code: str) -> str:
    """A Code of ours; any other text in the address is not repeated."""
    return code if code in FAULTS else "login_refused" if code else ""
