"""Pages shown without a login: sign-in, setup, and errors."""

from urllib.parse import urlencode

from litestar import Response, get
from litestar.enums import MediaType
from litestar.response import Redirect

from codex_proapi.console.api.authorize import own_path
from codex_proapi.console.auth.identity import IdentityKind, identity_of
from codex_proapi.console.errors import Code, ConsoleError
from codex_proapi.console.layout.layout import AnyRequest, preferences
from codex_proapi.console.layout.rendering import render
from codex_proapi.console.server.error_responses import OWNER_PAGE, SIGN_IN_PAGE
from codex_proapi.console.server.middleware import origin_of

LONGEST_TOKEN = 200


@get(
    [SIGN_IN_PAGE, "/setup"],
    opt={"public": True, "page": True, "passive": True},
    include_in_schema=False,
)
async def sign_in_page(request: AnyRequest) -> Response[str] | Redirect:
    """Sign in, or set the first password where there is none yet."""
    identity = identity_of(request.scope)
    link = request.query_params.get("link", "")[:LONGEST_TOKEN]
    after = own_path(request.query_params.get("next", "")) or "/"
    if identity.admitted:
        return Redirect(after, status_code=303)
    if link:
        return _sign_in(request, "sign_in_link.html", csrf=identity.csrf, token=link)
    if identity.setup_needed:
        token = request.query_params.get("token", "")[:LONGEST_TOKEN]
        return _sign_in(request, "setup.html", csrf=identity.csrf, token=token)
    return _sign_in(request, "sign_in.html", csrf=identity.csrf, after=after)


def error_page(request: AnyRequest, error: ConsoleError) -> Response[str] | Redirect:
    """Render an error where the visitor is: a failed account login, on the accounts page."""
    request_id = origin_of(request.scope).request_id
    if request.url.path.startswith("/auth/"):
        said = {"login_error": error.code.value, "request_id": request_id}
        back = OWNER_PAGE if is_owner(request) else "/accounts"
        return Redirect(f"{back}?{urlencode(said)}", status_code=303)
    identity = request.scope["state"].get("identity")
    html = render(
        "failure.html",
        preferences(request),
        page="failure",
        csrf=identity.csrf if identity else "",
        code=error.code.value,
        status=error.status,
        request_id=request_id,
        home=""
        if error.code is Code.OWNER_SIGNED_OUT
        else OWNER_PAGE
        if is_owner(request)
        else "/",
    )
    return Response(html, status_code=error.status, media_type=MediaType.HTML)


def is_owner(request: AnyRequest) -> bool:
    """Whether the browser is that of an owner of accounts, and no administrator's."""
    identity = request.scope["state"].get("identity")
    return identity is not None and identity.kind is IdentityKind.OWNER


def _sign_in(request: AnyRequest, template: str, **context: str) -> Response[str]:
    html = render(template, preferences(request), page="sign_in_page", **context)
    return Response(html, media_type=MediaType.HTML)
