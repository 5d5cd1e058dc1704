"""Route of the audit: who did what, when, from where."""

import msgspec
from litestar import get

from codex_proapi.console.auth.audit import Audit, StoredAuditEvent
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.parameters import Before, Limit


class AuditEventList(msgspec.Struct, frozen=True, kw_only=True, rename={"events": "deeds"}):
    """Events, newest first."""

    events: list[StoredAuditEvent]
    before: str
    """What to pass as `before` for older ones; empty when there are none."""


@get("/api/audit", tags=["audit"])
async def list_audit_events(
    audit: Injected[Audit],
    before: Before = "",
    limit: Limit = 100,
) -> AuditEventList:
    """What administrators did, newest first; one page at a time."""
    found = list(await audit.page(before=before or "+", count=limit))
    return AuditEventList(events=found, before=found[-1].id if len(found) == limit else "")
