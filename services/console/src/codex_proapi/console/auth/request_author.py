"""The audit event of a request: actor, address and request id filled in."""

from typing import Any

from litestar import Request

from codex_proapi.console.auth.audit import AuditEvent, Facts
from codex_proapi.console.auth.identity import identity_of
from codex_proapi.console.server.middleware import origin_of


def audit_event(
    request: Request[Any, Any, Any],
    action: str,
    *,
    account: str = "",
    key_id: str = "",
    code: str = "",
    before: Facts | None = None,
    after: Facts | None = None,
) -> AuditEvent:
    """What this request did, ready for the audit."""
    origin = origin_of(request.scope)
    return AuditEvent(
        action=action,
        actor=identity_of(request.scope).actor,
        ip=origin.client_ip,
        request_id=origin.request_id,
        account=account,
        key_id=key_id,
        code=code,
        before=dict(before or {}),
        after=dict(after or {}),
    )
