"""Client of the authorization server: refresh, code exchange, revocation, device login.

Each call returns a value (`Grant`, `DeviceCode`, `Pending`) or raises an error that says whether
another try may help. Errors contain no token. Nothing is retried here: a refresh token is single
use, so repeating a call whose answer was lost may end the login.
"""

from typing import Any

import httpx
import msgspec

from codex_proapi.commons.codex.claims import UnverifiedClaims, claims_of, claims_of_login
from codex_proapi.commons.codex.whoami import WHOAMI_PATH, TokenOwner, read_whoami

TIMEOUT = httpx.Timeout(connect=10, read=110, write=20, pool=10)
"""A refresh may be slow; giving up early would lose the rotated token."""

WHOAMI_SECONDS = 20.0
"""How long `whoami` may take: nothing is lost by giving up."""

_DIGITS = 10
"""Most digits of a number that is written as text."""
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""Failures before anything reached the server."""

_PENDING = frozenset({"deviceauth_authorization_unknown", "authorization_pending"})
_ENDED = frozenset({"expired_token", "deviceauth_expired", "access_denied"})
_OUR_FAULTS = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
_DEAD = frozenset(
    {
        *("invalid_grant", "refresh_token_expired", "refresh_token_reused"),
        *("refresh_token_invalidated", "account_deactivated", "app_session_terminated"),
        *("account_session_expired", "token_expired"),
    }
)
"""Codes that end a login whatever the status."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a successful answer; those it left out are empty. Its repr hides them."""

    access_token: str = ""
    refresh_token: str = ""
    id_token: str = ""
    expires_in: int = 0
    """Seconds the access token lives, as the answer says; 0 when it does not."""
    owner: TokenOwner | None = None
    """Whose a personal access token is; None of a login, whose tokens say it."""

    def __repr__(self) -> str:
        provided = [name for name in ("access", "refresh", "id") if getattr(self, f"{name}_token")]
        return f"<Grant of {', '.join(provided) or 'nothing'}>"

    def claims(self) -> UnverifiedClaims:
        """The unverified claims of the tokens."""
        return claims_of_login(self.id_token, self.access_token)

    def expires_at(self, now: float) -> int:
        """Expiry in seconds since the epoch: the token's `exp`, else by `expires_in`, else 0."""
        claims = claims_of(self.access_token)
        if claims is not None and claims.expires_at:
            return claims.expires_at
        return int(now) + self.expires_in if self.expires_in else 0


class DeviceCode(msgspec.Struct, frozen=True, kw_only=True):
    """A device login under way. Its repr hides the code."""

    device_auth_id: str
    """The server's handle."""
    user_code: str
    """What the person types."""
    interval: int = 5
    """Seconds between polls."""
    expires_in: int = 900
    """Seconds until it is void."""
    verification_url: str = ""
    """Where the person types it."""

    def __repr__(self) -> str:
        return f"<DeviceCode every {self.interval} s>"


class Pending(msgspec.Struct, frozen=True):
    """The person has not confirmed yet."""

    slower: bool = False
    """Whether the server asks for longer intervals."""


class GrantError(Exception):
    """Root of the errors of the authorization server; never raised itself."""


class GrantRefused(GrantError):
    """The server refused. `permanent`: only another login helps."""

    def __init__(self, code: str, *, permanent: bool, status: int = 0, message: str = "") -> None:
        super().__init__(f"{code} ({status})")
        self.code = code
        self.permanent = permanent
        self.status = status
        self.message = message
        """The server's message, for the person who is signing in."""


class GrantUnavailable(GrantError):
    """The server could not be reached, or its answer could not be used."""

    def __init__(self, code: str, *, sent: bool, retry_after: float = 0) -> None:
        super().__init__(code)
        self.code = code
        self.sent = sent
        """Whether the request may have reached it: its token may be spent."""
        self.retry_after = retry_after
        """Seconds to wait, from `retry-after`; 0 if missing."""


class TokenEndpoint:
    """Client of one authorization server."""

    def __init__(
        self, http: httpx.AsyncClient, *, issuer: str, client_id: str, identity: dict[str, str]
    ) -> None:
        self._http = http
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._identity = identity
        """Headers `originator` and `user-agent` of refreshes."""

    def __repr__(self) -> str:
        return f"<TokenEndpoint {self._issuer}>"

    async def refresh(self, refresh_token: str, reason: str = "proactive_expiry") -> Grant:
        """Use a refresh token. A token that the answer leaves out keeps its old value.

        Raises:
            GrantRefused: The server refused the token.
            GrantUnavailable: No usable answer came; `sent` tells whether the token may be spent.
        """
        body = {
            "client_id": self._client_id,
            "grant_type": "refresh_token",
            "refresh_reason": reason,
            "refresh_token": refresh_token,
        }
        grant = _grant(await self._post("/oauth/token", json=body, headers=self._identity))
        if not (grant.access_token or grant.refresh_token):
            raise GrantUnavailable("empty_answer", sent=True)
        return grant

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Grant:
        """Exchange an authorization code for tokens; raises like `refresh`."""
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client_id,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        grant = _grant(await self._post("/oauth/token", data=form))
        if not grant.access_token:
            raise GrantRefused("no_access_token", permanent=True, status=200)
        return grant

    async def revoke(self, *, refresh_token: str = "", access_token: str = "") -> None:
        """Log out: end the login these tokens belong to."""
        body = {
            "token": refresh_token or access_token,
            "token_type_hint": "refresh_token" if refresh_token else "access_token",
            "client_id": self._client_id,
        }
        answer = await self._post("/oauth/revoke", json=body)
        if not answer.is_success:
            raise _error(answer)

    async def start_device(self) -> DeviceCode:
        """Begin a device login; GrantRefused `device_login_disabled` where not allowed."""
        body = {"client_id": self._client_id}
        answer = await self._post("/api/accounts/deviceauth/usercode", json=body)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise GrantRefused("device_login_disabled", permanent=True, status=404)
        if not answer.is_success:
            raise _error(answer)
        fields = _fields(answer)
        return DeviceCode(
            device_auth_id=_text(fields, "device_auth_id"),
            user_code=_text(fields, "user_code") or _text(fields, "usercode"),
            interval=_number(fields, "interval") or 5,
            expires_in=_number(fields, "expires_in") or 900,
            verification_url=f"{self._issuer}/codex/device",
        )

    async def poll_device(self, device: DeviceCode) -> Grant | Pending:
        """Poll a device login: its tokens once the person has confirmed, else Pending."""
        body = {"device_auth_id": device.device_auth_id, "user_code": device.user_code}
        answer = await self._post("/api/accounts/deviceauth/token", json=body)
        if not answer.is_success:
            return _pending(answer)
        fields = _fields(answer)
        return await self.exchange(
            _text(fields, "authorization_code"),
            verifier=_text(fields, "code_verifier"),
            redirect_uri=f"{self._issuer}/deviceauth/callback",
        )

    async def whoami(self, token: str) -> TokenOwner:
        """Whose a personal access token is; `no_identity` if the answer names nobody.

        Raises:
            GrantRefused: The server refused the token; permanent if for good.
            GrantUnavailable: No usable answer came; nothing is spent by asking.
        """
        headers = {**self._identity, "authorization": f"Bearer {token}"}
        answer = await self._send("GET", WHOAMI_PATH, headers=headers, timeout=WHOAMI_SECONDS)
        if not answer.is_success:
            raise _error(answer)
        if _is_page(answer):
            raise GrantUnavailable("malformed_answer", sent=True)
        owner = read_whoami(answer.content)
        if owner is None:
            raise GrantRefused("no_identity", permanent=False, status=answer.status_code)
        return owner

    async def _post(self, path: str, **request: Any) -> httpx.Response:
        return await self._send("POST", path, **request)

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        url = f"{self._issuer}{path}"
        try:
            return await self._http.request(method, url, **{"timeout": TIMEOUT, **request})
        except _UNSENT as error:
            raise GrantUnavailable(type(error).__name__, sent=False) from None
        except httpx.HTTPError as error:
            raise GrantUnavailable(type(error).__name__, sent=True) from None


def _grant(answer: httpx.Response) -> Grant:
    if not answer.is_success:
        raise _error(answer)
    fields = _fields(answer)
    return Grant(
        access_token=_text(fields, "access_token"),
        refresh_token=_text(fields, "refresh_token"),
        id_token=_text(fields, "id_token"),
        expires_in=_number(fields, "expires_in"),
    )


def _error(answer: httpx.Response) -> GrantError:
    """The error for a status other than 2xx.

    A 401 ends the login whatever its code (as in the CLI 0.169.0), unless a proxy on the way sent
    it, or our own client id is refused. A 400 ends it if it names the grant or the token; otherwise
    our request is wrong.
    """
    status = answer.status_code
    code, message = _code(answer)
    wait = answer.headers.get("retry-after", "")
    seconds = float(wait) if wait.isdecimal() else 0
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return GrantUnavailable(code or f"http_{status}", sent=True, retry_after=seconds)
    if _is_page(answer):
        return GrantUnavailable(f"http_{status}_page", sent=True, retry_after=seconds)
    permanent = code not in _OUR_FAULTS and (
        status == httpx.codes.UNAUTHORIZED or code in _DEAD or "refresh_token" in message
    )
    return GrantRefused(
        code or f"http_{status}", permanent=permanent, status=status, message=message
    )


def _is_page(answer: httpx.Response) -> bool:
    """Whether the answer is HTML: from a proxy or a bot check, not from the server."""
    kind = answer.headers.get("content-type", "")
    return "html" in kind or answer.content.lstrip()[:1] == b"<"


def _code(answer: httpx.Response) -> tuple[str, str]:
    """Error code and message, in any of the three forms the server uses."""
    try:
        fields = _fields(answer)
    except GrantUnavailable:
        return "", ""
    error = fields.get("error")
    if isinstance(error, dict):
        return _text(error, "code") or _text(error, "type"), _text(error, "message")
    if isinstance(error, str):
        return error, _text(fields, "error_description")
    return _text(fields, "code"), _text(fields, "message")


def _pending(answer: httpx.Response) -> Pending:
    """The state that a poll without tokens reports."""
    code, message = _code(answer)
    if code in _ENDED:
        raise GrantRefused(code, permanent=True, status=answer.status_code, message=message)
    if code == "slow_down":
        return Pending(slower=True)
    if code in _PENDING or answer.status_code in (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
        return Pending()
    raise _error(answer)


def _fields(answer: httpx.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError:
        raise GrantUnavailable("malformed_answer", sent=True) from None


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _number(fields: dict[str, Any], name: str) -> int:
    """A number of seconds, also where the server writes it as text."""
    value = fields.get(name)
    if isinstance(value, str) and value.isdecimal() and len(value) <= _DIGITS:
        value = int(value)
    return int(value) if isinstance(value, int | float) and 0 < value < 1 << 31 else 0
