"""The administrator's page of owners: who they are, how they get in, and their accounts."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from codex_proapi.console.api.owners.records import OwnerBodies, OwnerBody
from codex_proapi.console.layout.layout import AnyRequest, page
from codex_proapi.console.views.account_list import AccountRow, load_accounts
from codex_proapi.console.views.sources import Sources


class OwnerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One owner for display."""

    body: OwnerBody
    accounts: tuple[AccountRow, ...]


class OwnersView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    rows: tuple[OwnerRow, ...]


@get("/owners", opt={"page": True}, include_in_schema=False)
async def owners_page(
    request: AnyRequest,
    sources: NamedDependency[Sources],
    owner_bodies: NamedDependency[OwnerBodies],
) -> Response[str]:
    """Every owner."""
    overview = await load_accounts(sources)
    bodies = await owner_bodies.all()
    rows = tuple(
        OwnerRow(body=body, accounts=tuple(row for row in overview.rows if row.owner == body.id))
        for body in sorted(bodies, key=lambda body: (body.name.casefold(), body.id))
    )
    return await page(request, sources, overview, "owners.html", view=OwnersView(rows=rows))
