"""The pages before the console: signing in, setting up, and what went wrong."""

from urllib.parse import urlencode

from litestar import Response, get
from litestar.enums import MediaType
from litestar.response import Redirect

from console.errors import ConsoleError
from console.web.authorize import own_path
from console.web.failures import SIGN_IN_PAGE
from console.web.front import origin_of
from console.web.pages.rendering import render
from console.web.pages.shell import AnyRequest, look
from console.web.visit import visit_of

LONGEST_TOKEN = 200


@get(
    [SIGN_IN_PAGE, "/setup"],
    opt={"public": True, "page": True, "passive": True},
    include_in_schema=False,
)
async def door(request: AnyRequest) -> Response[str] | Redirect:
    """Sign in, or set the first password where there is none yet."""
    visit = visit_of(request.scope)
    after = own_path(request.query_params.get("next", "")) or "/"
    if visit.admitted:
        return Redirect(after, status_code=303)
    if visit.setup_needed:
        token = request.query_params.get("token", "")[:LONGEST_TOKEN]
        return _door(request, "setup.html", csrf=visit.csrf, token=token)
    return _door(request, "sign_in.html", csrf=visit.csrf, after=after)


def error_page(request: AnyRequest, error: ConsoleError) -> Response[str] | Redirect:
    """Draw an error where the visitor is: a failed login of an account, on the accounts' page."""
    request_id = origin_of(request.scope).request_id
    if request.url.path.startswith("/auth/"):
        said = {"login_error": error.code.value, "request_id": request_id}
        return Redirect(f"/accounts?{urlencode(said)}", status_code=303)
    visit = request.scope["state"].get("visit")
    html = render(
        "failure.html",
        look(request),
        page="failure",
        csrf=visit.csrf if visit else "",
        code=error.code.value,
        status=error.status,
        request_id=request_id,
    )
    return Response(html, status_code=error.status, media_type=MediaType.HTML)


def _door(request: AnyRequest, template: str, **context: str) -> Response[str]:
    html = render(template, look(request), page="door", **context)
    return Response(html, media_type=MediaType.HTML)
