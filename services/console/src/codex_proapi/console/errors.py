"""The console's errors: the class has the HTTP status, `code` selects the message.

ConsoleError                     status, code, public message; cannot be raised itself
├── BadRequest 400               the body or a parameter is wrong (param)
│   └── BadAuthFile 400          the auth.json cannot be used; the code says why
├── HostRefused 400              the Host header is not in the host list
├── LoginRefused 400             an account's login ended without an account; the code has its cure
├── NotSignedIn 401              no session, or it has ended
├── BadSignIn 401                a wrong password or setup token
├── Refused 403                  CSRF token, cross-site request, sign-in needed but impossible
│   └── AdministratorsOnly 403   an owner of accounts, where only an administrator may come
├── NotFound 404                 no such account, key, login, session, path
├── MethodRefused 405            the path exists, but not for this method
├── Conflict 409                 the state has changed: already set up, another identity, …
├── BodyTooSlow 408              the body did not arrive in time
├── TooLarge 413 · WrongMedia 415
├── TooMany 429                  sign-in attempts, open streams (retry_after)
├── AuthServerAway 502           the authorization server cannot be reached or fails
├── UpstreamAway 502             the backend cannot be reached, or its answer cannot be used
├── WhatIfUnavailable 503        a replay took too long, or too many are asked for
└── StoreAway 503                Redis does not answer

Every code has a row in docs/console-errors.md and its sentences in `codex_proapi.console.texts.phrases`, in
both languages; tests keep that true. Only `server.error_responses` turns an error into an answer.
"""

import enum


class Code(enum.StrEnum):
    """What went wrong, stable for scripts and translated for people."""

    # signing in to the console
    SIGNED_OUT = "signed_out"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a code, no password
    WRONG_SETUP_TOKEN = "wrong_setup_token"  # noqa: S105 - a code, no token
    ALREADY_SET_UP = "already_set_up"
    SETUP_NEEDED = "setup_needed"
    WEAK_PASSWORD = "weak_password"  # noqa: S105 - a code, no password
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    CSRF = "csrf"
    CROSS_SITE = "cross_site"
    HOST_REFUSED = "host_refused"
    LOOPBACK_ONLY = "loopback_only"
    OTHER_USER = "other_user"
    WRONG_LINK = "wrong_link"
    WRONG_KEY = "wrong_key"
    UNKNOWN_REQUEST = "unknown_request"
    # owners of accounts
    OWNER_SIGNED_OUT = "owner_signed_out"
    WRONG_INVITATION = "wrong_invitation"
    ADMINISTRATORS_ONLY = "administrators_only"
    CONSENT_NEEDED = "consent_needed"
    OWNED_BY_OTHER = "owned_by_other"
    OWNER_HAS_ACCOUNTS = "owner_has_accounts"
    OWNERS_TERMS = "owners_terms"
    # signing in an account
    LOGIN_EXPIRED = "login_expired"
    LOGIN_UNKNOWN = "login_unknown"
    LOGIN_OTHER_SESSION = "login_other_session"
    LOGIN_REFUSED = "login_refused"
    ACCESS_DENIED = "access_denied"
    MISSING_ENTITLEMENT = "missing_codex_entitlement"
    REDIRECT_REFUSED = "authorize_hydra_invalid_request"
    EXCHANGE_REFUSED = "exchange_refused"
    EXCHANGE_FORBIDDEN = "exchange_forbidden"
    DEVICE_DISABLED = "device_login_disabled"
    DEVICE_EXPIRED = "device_code_expired"
    AUTHORIZATION_UNREACHABLE = "authorization_unreachable"
    NOT_A_CALLBACK = "not_a_callback_url"
    NO_ACCOUNT_IN_LOGIN = "no_account_in_login"
    OTHER_IDENTITY = "other_identity"
    # an auth.json
    AUTH_JSON = "invalid_auth_json"
    AUTH_JSON_API_KEY = "auth_json_api_key"
    AUTH_JSON_TOKENS = "auth_json_no_tokens"
    AUTH_JSON_ACCESS = "auth_json_no_access_token"
    AUTH_JSON_UNREADABLE = "auth_json_unreadable_token"
    AUTH_JSON_ACCOUNT = "auth_json_no_account_id"
    AUTH_JSON_EXPIRED = "auth_json_expired"
    AUTH_JSON_UNPROVEN = "auth_json_unproven"
    # a personal access token
    ACCESS_TOKEN = "invalid_access_token"  # noqa: S105 - a code, no token
    ACCESS_TOKEN_REFUSED = "access_token_refused"  # noqa: S105 - a code, no token
    ACCESS_TOKEN_NOBODY = "access_token_names_nobody"  # noqa: S105 - a code, no token
    # an account
    ACCOUNT_DEACTIVATED = "account_deactivated"
    CREDENTIAL_REVOKED = "credential_revoked"
    CREDENTIAL_UNAVAILABLE = "credential_unavailable"
    CREDENTIAL_LOCKED = "credential_locked"
    # saved resets
    RESET_UNKNOWN = "unknown_reset"
    RESET_GONE = "reset_gone"
    RESET_REDEEMED = "reset_already_redeemed"
    RESET_NOTHING = "nothing_to_reset"
    RESET_REFUSED = "reset_refused"
    RESET_UNCONFIRMED = "reset_unconfirmed"
    RESETS_UNREADABLE = "resets_unreadable"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    # things
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_KEY = "unknown_key"
    UNKNOWN_TOKEN = "unknown_admin_token"  # noqa: S105 - a code, no token
    UNKNOWN_PRICE = "unknown_price"
    TOO_MANY_PRICES = "too_many_prices"
    UNKNOWN_DESTINATION = "unknown_destination"
    TOO_MANY_DESTINATIONS = "too_many_destinations"
    UNKNOWN_SESSION = "unknown_session"
    UNKNOWN_OWNER = "unknown_owner"
    TOO_MANY_OWNERS = "too_many_owners"
    NOT_FOUND = "not_found"
    NOTHING_TO_UNDO = "nothing_to_undo"
    KEY_REVOKED = "key_revoked"
    MODEL_NOT_FOUND = "model_not_found"
    # requests
    INVALID_VALUE = "invalid_value"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_SLOW = "request_timeout"
    TOO_LARGE = "request_too_large"
    HEAD_TOO_LARGE = "request_head_too_large"
    MALFORMED_HTTP = "malformed_http"
    OVERLOADED = "server_overloaded"
    UNSUPPORTED_MEDIA = "unsupported_media_type"
    TOO_MANY_STREAMS = "too_many_streams"
    # ours
    STORE_UNAVAILABLE = "store_unavailable"
    STORE_FULL = "store_full"
    STORE_READ_ONLY = "store_read_only"
    STORE_REFUSED = "store_refused"
    STORE_LOADING = "store_loading"
    WHAT_IF_UNAVAILABLE = "what_if_unavailable"
    INTERNAL = "internal"


class ConsoleError(Exception):
    """Root of the tree. `message` is public; empty means the sentence of the code says it all."""

    status: int = 500
    code: Code = Code.INTERNAL
    retry_after: int | None = None
    """Seconds for `Retry-After`; None leaves the header out."""

    def __init__(
        self,
        code: Code | None = None,
        message: str = "",
        *,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.code = code or type(self).code
        self.message = message
        self.param = param
        if retry_after is not None:
            self.retry_after = retry_after
        super().__init__(message or self.code.value)


class BadRequest(ConsoleError):
    """The body or a parameter is wrong; `param` names the culprit."""

    status = 400
    code = Code.INVALID_VALUE


class BadAuthFile(BadRequest):
    """The auth.json cannot be used; the code says why."""

    code = Code.AUTH_JSON


class HostRefused(ConsoleError):
    """The Host header is not in the host list."""

    status = 400
    code = Code.HOST_REFUSED


class LoginRefused(ConsoleError):
    """An account's login ended without an account; the code has its cure."""

    status = 400
    code = Code.LOGIN_REFUSED


class NotSignedIn(ConsoleError):
    """No session, or it has ended."""

    status = 401
    code = Code.SIGNED_OUT


class BadSignIn(ConsoleError):
    """A wrong password or setup token."""

    status = 401
    code = Code.WRONG_PASSWORD


class Refused(ConsoleError):
    """Not allowed in this way, signed in or not: CSRF token, another site, no login possible."""

    status = 403
    code = Code.CSRF


class AdministratorsOnly(Refused):
    """An owner of accounts asks for what is the administrator's."""

    code = Code.ADMINISTRATORS_ONLY


class NotFound(ConsoleError):
    """No such thing."""

    status = 404
    code = Code.NOT_FOUND


class MethodRefused(ConsoleError):
    """The path exists, but not for this method."""

    status = 405
    code = Code.METHOD_NOT_ALLOWED


class Conflict(ConsoleError):
    """The state has changed since the page was rendered."""

    status = 409
    code = Code.ALREADY_SET_UP


class BodyTooSlow(ConsoleError):
    """The body did not arrive in time."""

    status = 408
    code = Code.BODY_TOO_SLOW


class TooLarge(ConsoleError):
    """The body exceeds the limit."""

    status = 413
    code = Code.TOO_LARGE


class WrongMedia(ConsoleError):
    """The body is not JSON."""

    status = 415
    code = Code.UNSUPPORTED_MEDIA


class TooMany(ConsoleError):
    """Too many tries, or too many open streams."""

    status = 429
    code = Code.TOO_MANY_ATTEMPTS


class AuthServerAway(ConsoleError):
    """The authorization server cannot be reached or fails."""

    status = 502
    code = Code.AUTHORIZATION_UNREACHABLE


class UpstreamAway(ConsoleError):
    """The backend cannot be reached, or its answer cannot be used."""

    status = 502
    code = Code.UPSTREAM_UNREACHABLE


class StoreAway(ConsoleError):
    """Redis does not answer."""

    status = 503
    code = Code.STORE_UNAVAILABLE
    retry_after = 2


class WhatIfUnavailable(ConsoleError):
    """The last weeks could not be replayed in time, or too many questions wait."""

    status = 503
    code = Code.WHAT_IF_UNAVAILABLE
    retry_after = 30
