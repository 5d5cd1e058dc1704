"""A request's deed: who asked, from where, under which request id."""

from typing import Any

from litestar import Request

from console.admin.audit import Deed, Facts
from console.web.front import origin_of
from console.web.visit import visit_of


def deed(
    request: Request[Any, Any, Any],
    action: str,
    *,
    account: str = "",
    key_id: str = "",
    code: str = "",
    before: Facts | None = None,
    after: Facts | None = None,
) -> Deed:
    """What this request did, ready for the audit."""
    origin = origin_of(request.scope)
    return Deed(
        action=action,
        actor=visit_of(request.scope).actor,
        ip=origin.client_ip,
        request_id=origin.request_id,
        account=account,
        key_id=key_id,
        code=code,
        before=dict(before or {}),
        after=dict(after or {}),
    )
