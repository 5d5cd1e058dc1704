"""The audit page's data: who did what, when, from where."""

import msgspec
from litestar import get

from console.admin.audit import Audit, KeptDeed
from console.web.given import Given
from console.web.places import Before, Limit


class DeedList(msgspec.Struct, frozen=True, kw_only=True):
    """Deeds, newest first."""

    deeds: list[KeptDeed]
    before: str
    """What to pass as `before` for older ones; empty when there are none."""


@get("/api/audit", tags=["audit"])
async def list_deeds(
    audit: Given[Audit],
    before: Before = "",
    limit: Limit = 100,
) -> DeedList:
    """What administrators did, newest first; one page at a time."""
    found = list(await audit.page(before=before or "+", count=limit))
    return DeedList(deeds=found, before=found[-1].id if len(found) == limit else "")
