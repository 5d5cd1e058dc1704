"""Routes of admin tokens: create, list, revoke. A token is shown once."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post
from litestar.params import JSONBody

from codex_proapi.commons.accounts.one_line import MOST_NAME, NAME_PATTERN
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.auth.script_tokens import ScriptToken, ScriptTokens
from codex_proapi.console.errors import BadRequest, Code, NotFound
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.parameters import Id

AnyRequest = Request[Any, Any, Any]


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to make."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME, pattern=NAME_PATTERN)]
    expires_at: Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800)] = 0
    """When it ends, seconds since the epoch; 0 is never."""


class MadeToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token just made; the only time its secret is shown."""

    token: ScriptToken
    secret: str


class TokenList(msgspec.Struct, frozen=True, kw_only=True):
    """Every admin token, oldest first."""

    tokens: list[ScriptToken]


@get("/api/tokens", tags=["tokens"])
async def list_tokens(script_tokens: Injected[ScriptTokens]) -> TokenList:
    """Every admin token."""
    return TokenList(tokens=await script_tokens.all())


@post("/api/tokens", tags=["tokens"])
async def make_token(
    *,
    request: AnyRequest,
    data: JSONBody[NewToken],
    script_tokens: Injected[ScriptTokens],
    audit: Injected[Audit],
    clock: Injected[Callable[[], float]],
) -> MadeToken:
    """Make an admin token; its secret is shown here and nowhere else."""
    if 0 < data.expires_at <= clock():
        raise BadRequest(Code.INVALID_VALUE, param="expires_at")
    token, secret = await script_tokens.create(data.name.strip(), expires_at=data.expires_at)
    await audit.note(
        audit_event(request, "admin.token_made", after={"id": token.id, "name": token.name})
    )
    return MadeToken(token=token, secret=secret)


@delete("/api/tokens/{token_id:str}", tags=["tokens"], status_code=204)
async def revoke_token(
    request: AnyRequest,
    token_id: Id,
    script_tokens: Injected[ScriptTokens],
    audit: Injected[Audit],
) -> None:
    """Revoke an admin token on every replica at once."""
    if not await script_tokens.revoke(token_id):
        raise NotFound(Code.UNKNOWN_TOKEN)
    await audit.note(audit_event(request, "admin.token_revoked", before={"id": token_id[:12]}))
