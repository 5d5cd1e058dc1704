"""The browser's own road: away to the authorization server, and back from it."""

from typing import Annotated, Any, TypeAlias
from urllib.parse import quote, urlencode

from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Redirect

from commons.accounts.store import AccountStore
from console.admin.audit import Audit
from console.errors import Code, ConsoleError, NotFound
from console.login.callback import callback_of
from console.login.desk import LoginDesk
from console.login.pending import Way
from console.settings import ConsoleSettings
from console.web.front import origin_of
from console.web.given import Given
from console.web.logins import note_outcome, owner_of, owners_of
from console.web.places import Word

AnyRequest = Request[Any, Any, Any]
Said: TypeAlias = Annotated[str, QueryParameter(max_length=4096)]
"""What the authorization server says through the browser."""
AFTER = "/accounts"
"""Where a finished login leads."""


@get("/auth/login", tags=["logins"], status_code=302)
async def leave(
    *,
    request: AnyRequest,
    desk: Given[LoginDesk],
    accounts: Given[AccountStore],
    settings: Given[ConsoleSettings],
    account: Word = "",
    after: Annotated[str, QueryParameter(name="next", max_length=500)] = "",
) -> Redirect:
    """Send the browser to the authorization server."""
    if account and await accounts.get(account) is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT, param="account")
    begun = await desk.begin(
        Way.BROWSER,
        owner=owner_of(request, settings),
        redirect_uri=settings.redirect_uri(origin_of(request.scope).forwarded),
        account=account,
        after=own_path(after) or AFTER,
    )
    return Redirect(begun.authorize_url, status_code=302)


@get("/auth/callback", tags=["logins"], status_code=303)
async def arrive(
    *,
    request: AnyRequest,
    desk: Given[LoginDesk],
    audit: Given[Audit],
    code: Said = "",
    # Litestar keeps the name `state` for itself.
    given_state: Annotated[str, QueryParameter(name="state", max_length=4096)] = "",
    error: Said = "",
    error_description: Said = "",
) -> Redirect:
    """Take the browser back from the authorization server."""
    said = {
        "code": code,
        "state": given_state,
        "error": error,
        "error_description": error_description,
    }
    try:
        callback = callback_of(said)
        account, after = await desk.finish(callback, owners=owners_of(request))
    except ConsoleError as failure:
        await note_outcome(request, audit, way=Way.BROWSER, code=failure.code.value)
        raise
    await note_outcome(request, audit, way=Way.BROWSER, account=account.id)
    joint = "&" if "?" in after else "?"
    return Redirect(f"{after}{joint}{urlencode({'signed_in': account.id})}", status_code=303)


def own_path(path: str) -> str:
    """A path of ours to go to, empty for anything that could lead a browser elsewhere."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\"))
    plain = all(" " < character <= "~" and character != "\\" for character in path)
    return quote(path, safe="/?&=%+,.:~_-") if safe and plain and len(path) <= 500 else ""  # noqa: PLR2004 - no page of ours has a longer one
