"""Routes of browser logins: the redirect to the authorization server, and its callback."""

from typing import Annotated, Any, TypeAlias
from urllib.parse import quote, urlencode

from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Redirect

from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.console.accounts.callback import callback_of
from codex_proapi.console.accounts.login_service import LoginService
from codex_proapi.console.accounts.pending_logins import Way
from codex_proapi.console.api.logins import note_outcome, owner_of, owners_of
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.errors import Code, ConsoleError, NotFound
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.parameters import Word
from codex_proapi.console.settings import ConsoleSettings

AnyRequest = Request[Any, Any, Any]
Said: TypeAlias = Annotated[str, QueryParameter(max_length=4096)]
"""What the authorization server says through the browser."""
AFTER = "/accounts"
"""Where a finished login leads."""


@get("/auth/login", tags=["logins"], status_code=302)
async def leave(
    *,
    request: AnyRequest,
    login_service: Injected[LoginService],
    accounts: Injected[AccountStore],
    settings: Injected[ConsoleSettings],
    account: Word = "",
    after: Annotated[str, QueryParameter(name="next", max_length=500)] = "",
) -> Redirect:
    """Send the browser to the authorization server."""
    if account and await accounts.get(account) is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT, param="account")
    begun = await login_service.begin(
        Way.BROWSER,
        owner=owner_of(request, settings),
        redirect_uri=settings.redirect_uri,
        account=account,
        after=own_path(after) or AFTER,
    )
    return Redirect(begun.authorize_url, status_code=302)


@get("/auth/callback", tags=["logins"], status_code=303, opt={"owner_too": True})
async def arrive(
    *,
    request: AnyRequest,
    login_service: Injected[LoginService],
    audit: Injected[Audit],
    code: Said = "",
    # Litestar keeps the name `state` for itself.
    provided_state: Annotated[str, QueryParameter(name="state", max_length=4096)] = "",
    error: Said = "",
    error_description: Said = "",
) -> Redirect:
    """Take the browser back from the authorization server."""
    said = {
        "code": code,
        "state": provided_state,
        "error": error,
        "error_description": error_description,
    }
    try:
        callback = callback_of(said)
        account, pending = await login_service.finish(callback, owners=owners_of(request))
    except ConsoleError as failure:
        await note_outcome(request, audit, way=Way.BROWSER, code=failure.code.value)
        raise
    await note_outcome(request, audit, way=pending.way, account=account.id)
    # A pasted login whose address is this console comes back by itself, with nowhere to go.
    after = pending.after or AFTER
    joint = "&" if "?" in after else "?"
    return Redirect(f"{after}{joint}{urlencode({'signed_in': account.id})}", status_code=303)


def own_path(path: str) -> str:
    """A path of this console to redirect to; empty for anything that could lead elsewhere."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\"))
    plain = all(" " < character <= "~" and character != "\\" for character in path)
    return quote(path, safe="/?&=%+,.:~_-") if safe and plain and len(path) <= 500 else ""  # noqa: PLR2004 - no page of ours has a longer one
