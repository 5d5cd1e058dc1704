"""The only place that turns errors into responses.

Under `/api` and for scripts: `{"error": {"code", "message", "param", "request_id"}}`. A browser
that asked for a page gets one (`ErrorPage`), or a redirect to the sign-in page.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Redirect
from litestar.types import ExceptionHandlersMap, Receive, Scope, Send

from codex_proapi.commons.runtime.errors import (
    CredentialLocked,
    CredentialRevoked,
    CredentialUnavailable,
    OwnedByOther,
    StoreUnavailable,
)
from codex_proapi.console.errors import (
    AdministratorsOnly,
    BadRequest,
    Code,
    Conflict,
    ConsoleError,
    MethodRefused,
    NotFound,
    NotSignedIn,
    StoreAway,
    TooLarge,
    WrongMedia,
)
from codex_proapi.console.texts.phrases import CURES, FAULTS

log = structlog.get_logger(__name__)

AnyRequest = Request[Any, Any, Any]

_NAMED = re.compile(r"(?:required|unknown) field `([^`]+)`")

SIGN_IN_PAGE = "/login"
"""Where a browser without a session is sent."""
OWNER_PAGE = "/owner"
"""Where the browser of an owner of accounts is sent from any other page."""


class ErrorPage(Protocol):
    """Renders an error as a page in the visitor's language."""

    def __call__(self, request: AnyRequest, error: ConsoleError) -> Response[Any]:
        """The page, with the error's status."""
        ...


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong."""

    code: str
    """Stable; see docs/console-errors.md."""
    message: str
    """In English, with what to do."""
    param: str | None
    """The culprit in the request, if there is one."""
    request_id: str
    """Finds the request in the log."""


class ErrorEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """An error of the JSON API."""

    error: ErrorBody


STORE_ERRORS: dict[Code, tuple[str, ...]] = {
    Code.STORE_FULL: ("MISCONF", "OOM", "OutOfMemory"),
    Code.STORE_READ_ONLY: ("READONLY", "ReadOnly", "NOREPLICAS"),
    Code.STORE_REFUSED: ("NOAUTH", "WRONGPASS", "NOPERM", "Authentication", "NoPermission"),
    Code.STORE_LOADING: ("LOADING", "BusyLoading"),
}
"""What a Redis that answers may refuse everything for: error codes, and names of redis-py's errors."""


def handlers_of(
    *, error_page: ErrorPage | None, store_failed: Callable[[AnyRequest], None]
) -> ExceptionHandlersMap:
    """Litestar's table of exception handlers.

    Args:
        error_page: Renders pages; None answers everything as JSON.
        store_failed: Called for each error of Redis.
    """

    def answer(request: AnyRequest, error: Exception) -> Response[Any]:
        known = known_as(error)
        known.param = known.param and _name_of(request, known.param)
        if isinstance(known, StoreAway):
            store_failed(request)
        if known.code is Code.INTERNAL:
            log.error("request.failed", path=request.url.path, exc_info=error)
        if _wants_page(request):
            if request.method == "GET" and (elsewhere := _elsewhere(request, known)):
                return elsewhere
            if error_page is not None:
                return error_page(request, known)
        return Response(
            envelope_of(known, request_id=_request_id(request.scope)),
            status_code=known.status,
            media_type="application/json",
            headers=_headers_of(known),
        )

    return {Exception: answer, HTTPException: answer}


def known_as(error: Exception) -> ConsoleError:
    """Map any exception to a ConsoleError."""
    match error:
        case ConsoleError():
            return error
        case StoreUnavailable():
            named = (c for c, words in STORE_ERRORS.items() if any(w in str(error) for w in words))
            return StoreAway(next(named, None))
        case RecursionError() | UnicodeDecodeError():  # a body no JSON decoder gets through
            return BadRequest()
        case CredentialRevoked():
            return Conflict(Code.CREDENTIAL_REVOKED)
        case CredentialLocked():
            return Conflict(Code.CREDENTIAL_LOCKED)
        case OwnedByOther():
            return Conflict(Code.OWNED_BY_OTHER)
        case CredentialUnavailable():
            return Conflict(Code.CREDENTIAL_UNAVAILABLE)
        case HTTPException():
            return _of_litestar(error)
        case _:
            return ConsoleError()


def envelope_of(error: ConsoleError, *, request_id: str) -> ErrorEnvelope:
    """The body of an error."""
    return ErrorEnvelope(
        error=ErrorBody(
            code=error.code.value,
            message=error.message or sentence_of(error.code),
            param=error.param,
            request_id=request_id,
        )
    )


def sentence_of(code: Code) -> str:
    """What happened and what to do, in English."""
    return " ".join(filter(None, (FAULTS.get(code, ""), CURES.get(code, "")))) or code.value


async def refuse(error: ConsoleError, *, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an error response before Litestar has handled the request."""
    del receive
    body = msgspec.json.encode(envelope_of(error, request_id=_request_id(scope)))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *((n.lower().encode(), v.encode()) for n, v in _headers_of(error).items()),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _of_litestar(error: HTTPException) -> ConsoleError:
    """Map Litestar's own refusals. Its texts may quote the request, so few are passed on."""
    match error.status_code:
        case 404:
            return NotFound()
        case 405:
            return MethodRefused()
        case 413:
            return TooLarge()
        case 415:
            return WrongMedia()
        case status if 400 <= status < 500:  # noqa: PLR2004 - the client's
            return BadRequest(param=_param_of(error))
        case _:
            return ConsoleError()


def _param_of(error: HTTPException) -> str | None:
    """The field that failed validation, if known."""
    extra = error.extra if isinstance(error, ValidationException) else None
    if isinstance(extra, list) and extra and isinstance(extra[0], dict):
        # Of a missing or unknown field Litestar names what holds it; it calls the whole body `data`.
        holder = str(extra[0].get("key") or "")
        field = _NAMED.search(str(extra[0].get("message", "")))
        names = (
            [holder, field[1]] if field and holder != "data" else [field[1] if field else holder]
        )
        key = ".".join(filter(None, names))
        return key[:64] or None
    return None


def _name_of(request: AnyRequest, param: str) -> str:
    """What clients call an argument of the handler: `format`, where that is called `form`."""
    handler = request.scope.get("route_handler")
    found = handler.parsed_fn_signature.parameters.get(param) if handler is not None else None
    return getattr(found and found.kwarg_definition, "name", None) or param


def _wants_page(request: AnyRequest) -> bool:
    """Whether a browser asked for a page."""
    path = request.url.path
    return not path.startswith("/api") and "text/html" in request.headers.get("accept", "")


def _elsewhere(request: AnyRequest, error: ConsoleError) -> Response[Any] | None:
    """Where a browser is sent that may not see this page; None shows it the error."""
    if isinstance(error, AdministratorsOnly):
        return Redirect(OWNER_PAGE, status_code=303)
    if isinstance(error, NotSignedIn) and error.code is not Code.OWNER_SIGNED_OUT:
        return _to_sign_in(request)
    return None


def _to_sign_in(request: AnyRequest) -> Response[Any]:
    path = request.url.path
    query = request.url.query
    after = f"{path}?{query}" if query and path != "/auth/callback" else path
    after = "/" if path.startswith("/auth/") else after
    where = SIGN_IN_PAGE if after == "/" else f"{SIGN_IN_PAGE}?next={quote(after, safe='')}"
    return Redirect(where, status_code=303)


def _headers_of(error: ConsoleError) -> dict[str, str]:
    return {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}


def _request_id(scope: Scope) -> str:
    origin = scope["state"].get("origin")
    return str(getattr(origin, "request_id", ""))
