"""The error responses of the backend and the authorization server, by name.

Bodies and headers are those seen from the real servers. `http.replies` gives them their HTTP form.
"""

from collections.abc import Callable
from typing import Any

import msgspec

CLOUDFLARE_PAGE = """<!DOCTYPE html>
<html lang="en-US"><head><title>Just a moment...</title>
<meta http-equiv="Content-Type" content="text/html; charset=UTF-8">
<meta name="robots" content="noindex,nofollow"></head>
<body><div class="main-wrapper" role="main"><h1>chatgpt.com</h1>
<p>Verifying you are human. This may take a few seconds.</p>
<noscript>Enable JavaScript and cookies to continue</noscript></div>
<script>(function(){window._cf_chl_opt={cvId:'3',cZone:"chatgpt.com"};}());</script></body></html>
"""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One response that is not a stream."""

    status: int
    """HTTP status."""
    body: Any
    """JSON value, or a string that is sent as it is (HTML)."""
    headers: dict[str, str] = {}
    """Extra headers."""

    @property
    def code(self) -> str:
        """Its error code, or the closest field; for the received request."""
        error = self.body.get("error", self.body) if isinstance(self.body, dict) else {}
        if isinstance(error, str):
            return error
        detail = error.get("detail")
        if isinstance(detail, dict):
            return str(detail.get("code", ""))
        return str(error.get("code") or error.get("type") or detail or "html")


class Circumstance(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that the text of a refusal may depend on."""

    now: float = 0.0
    """Seconds since the epoch."""
    plan: str = "plus"
    """Plan of the account."""
    model: str = "gpt-5.5"
    """The requested model."""
    resets_in: float = 3600.0
    """Seconds until a spent window resets."""
    retry_after: float | None = None
    """Seconds for `Retry-After`; None: no such header."""


def detail(text: object, *, status: int = 400) -> Refusal:
    """A refusal in the short form `{"detail": …}`."""
    return Refusal(status=status, body={"detail": text})


def invalid(
    message: str, *, param: str | None = None, code: str | None = None, status: int = 400
) -> Refusal:
    """A refusal in the long form: `invalid_request_error`."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Refusal(status=status, body={"error": error})


def refuse(name: str, circumstance: Circumstance) -> Refusal:
    """The refusal of this name under these circumstances."""
    return REFUSALS[name](circumstance)


def oauth_error(error: str, description: str, *, status: int = 400) -> Refusal:
    """A refusal in the form of RFC 6749."""
    return Refusal(status=status, body={"error": error, "error_description": description})


def _grant(message: str, code: str) -> Refusal:
    return invalid(message, code=code, status=401)


def _device(status: int, code: str, message: str) -> Refusal:
    return invalid(message, code=code, status=status)


def _session(message: str, code: str | None, status: int = 401) -> Refusal:
    error = {"message": message, "type": None, "code": code, "param": None}
    headers = {"x-openai-authorization-error": code} if code else {}
    return Refusal(status=status, body={"error": error, "status": status}, headers=headers)


def _usage_limit(at: Circumstance) -> Refusal:
    error = {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": at.plan,
        "resets_at": int(at.now + at.resets_in),
        "resets_in_seconds": int(at.resets_in),
    }
    return Refusal(status=429, body={"error": error})


def _limited(type_: str, message: str, code: str | None = None) -> Callable[..., Refusal]:
    def make(at: Circumstance) -> Refusal:
        error = {"message": message, "type": type_, "param": None, "code": code or type_}
        headers = {} if at.retry_after is None else {"retry-after": f"{at.retry_after:g}"}
        return Refusal(status=429, body={"error": error}, headers=headers)

    return make


def _broken(status: int, message: str, code: str = "server_error") -> Callable[..., Refusal]:
    def make(at: Circumstance) -> Refusal:
        error = {"message": message, "type": "server_error", "param": None, "code": code}
        headers = {} if at.retry_after is None else {"retry-after": f"{at.retry_after:g}"}
        return Refusal(status=status, body={"error": error}, headers=headers)

    return make


def _edge(status: int, title: str) -> Callable[..., Refusal]:
    """An error page of the proxy in front of the backend."""
    page = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n<hr><center>cloudflare</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    headers = {"content-type": "text/html", "cf-ray": "8f1c0ffee0001234-FRA"}
    return lambda _: Refusal(status=status, body=page, headers=headers)


def _unsupported_model(at: Circumstance) -> Refusal:
    return detail(
        f"The '{at.model}' model is not supported when using Codex with a ChatGPT account."
    )


def _newer_version(at: Circumstance) -> Refusal:
    return detail(
        f"The '{at.model}' model requires a newer version of Codex. "
        "Please upgrade to the latest app or CLI and try again."
    )


def _model_not_found(at: Circumstance) -> Refusal:
    return invalid(f"Model not found {at.model}", param="model", status=404)


_CLOUDFLARE_HEADERS = {
    "content-type": "text/html; charset=UTF-8",
    "cf-mitigated": "challenge",
    "cf-ray": "8f1c0ffee0005678-FRA",
    "server": "cloudflare",
}

REFUSALS: dict[str, Callable[[Circumstance], Refusal]] = {
    # 400: the request, not the account
    "context_length_exceeded": lambda _: invalid(
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        param="input",
        code="context_length_exceeded",
    ),
    "invalid_encrypted_content": lambda _: invalid(
        "The encrypted content gAAA...AAA= could not be verified. "
        "Reason: Encrypted content could not be decrypted or parsed.",
        code="invalid_encrypted_content",
    ),
    "invalid_function_parameters": lambda _: invalid(
        "Invalid schema for function 'probe': In context=('properties', 'items'), "
        "array schema missing items.",
        param="tools[0].parameters",
        code="invalid_function_parameters",
    ),
    "invalid_value": lambda _: invalid(
        "Invalid value: 'output_text'. Supported values are: 'input_text', 'input_image', and 'input_file'.",
        param="input[0].content[0]",
        code="invalid_value",
    ),
    "invalid_image": lambda _: invalid(
        "The image data you provided does not represent a valid image. Please check your input and "
        "try again with one of the supported image formats: "
        "['image/jpeg', 'image/png', 'image/gif', 'image/webp'].",
        param="input",
        code="invalid_value",
    ),
    "unsupported_parameter": lambda _: detail("Unsupported parameter: max_output_tokens"),
    "unsupported_value": lambda _: invalid(
        "Unsupported value: 'reasoning.context' must be 'all_turns' for this request.",
        param="reasoning.context",
        code="unsupported_value",
    ),
    "instructions_required": lambda _: detail("Instructions are required"),
    "unsupported_model": _unsupported_model,
    "newer_version_required": _newer_version,
    "cyber_policy": lambda _: invalid(
        "This request was flagged by our cybersecurity safeguards.", code="cyber_policy"
    ),
    "invalid_prompt": lambda _: invalid(
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
        code="invalid_prompt",
    ),
    # 401 and kin: the login
    "unauthorized": lambda _: detail("Unauthorized", status=401),
    "token_unreadable": lambda _: _session(
        "Could not parse your authentication token. Please try signing in again.", "invalid_jwt"
    ),
    "token_expired": lambda _: _session(
        "Provided authentication token is expired. Please try signing in again.", "token_expired"
    ),
    "token_invalidated": lambda _: _session(
        "Your authentication token has been invalidated. Please try signing in again.",
        "token_invalidated",
    ),
    "token_revoked": lambda _: _session(
        "Encountered invalidated oauth token for user, failing request", "token_revoked"
    ),
    "session_ended": lambda _: _session(
        "Your session has ended. Please log in again.", "app_session_terminated"
    ),
    "account_deactivated": lambda _: _session(
        "Your OpenAI account has been deactivated, please check your email for more information.",
        "account_deactivated",
    ),
    "account_deactivated_403": lambda _: _session(
        "Your OpenAI account has been deactivated, please check your email for more information.",
        "account_deactivated",
        403,
    ),
    "deactivated_workspace": lambda _: detail({"code": "deactivated_workspace"}, status=402),
    "deactivated_workspace_403": lambda _: detail(
        "This workspace has been deactivated and can no longer be used.", status=403
    ),
    # 403: the way there, or the plan
    "cloudflare": lambda _: Refusal(status=403, body=CLOUDFLARE_PAGE, headers=_CLOUDFLARE_HEADERS),
    "unsupported_country": lambda _: Refusal(
        status=403,
        body={
            "error": {
                "message": "Country, region, or territory not supported",
                "type": "request_forbidden",
                "param": None,
                "code": "unsupported_country_region_territory",
            }
        },
    ),
    "no_entitlement": lambda _: detail("Codex is not enabled for this workspace.", status=403),
    "account_mismatch": lambda _: detail({"code": "account_mismatch"}, status=403),
    # Over WebSocket
    "websocket_connection_limit_reached": lambda _: invalid(
        "Responses websocket connection limit reached (60 minutes).",
        code="websocket_connection_limit_reached",
    ),
    "previous_response_not_found": lambda _: invalid(
        "Previous response not found.", code="previous_response_not_found"
    ),
    # 404 to 426
    "model_not_found": _model_not_found,
    "not_found": lambda _: detail("Not Found", status=404),
    "request_timeout": _broken(408, "Request timed out.", "request_timeout"),
    "conflict": _broken(409, "The request conflicted with another one.", "conflict"),
    "too_large": lambda _: detail("Request entity too large", status=413),
    "unprocessable": lambda _: detail(
        [{"type": "missing", "loc": ["body", "input"], "msg": "Field required"}], status=422
    ),
    "too_early": _broken(425, "Too early.", "too_early"),
    # 429
    "usage_limit_reached": _usage_limit,
    "usage_not_included": lambda at: Refusal(
        status=429,
        body={
            "error": {
                "type": "usage_not_included",
                "message": "Usage not included in your plan",
                "plan_type": at.plan,
            }
        },
    ),
    "insufficient_quota": _limited(
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "credit_balance_exhausted": _limited(
        "credit_balance_exhausted", "Your workspace has no credits left."
    ),
    "organization_spend_limit_exceeded": _limited(
        "organization_spend_limit_exceeded", "Your organization has reached its spend limit."
    ),
    "rate_limit_exceeded": _limited(
        "rate_limit_error",
        "Rate limit reached for requests. Please try again in 1.1s.",
        "rate_limit_exceeded",
    ),
    "slow_down": _limited("slow_down", "Please slow down and try again."),
    "plain_429": lambda at: Refusal(
        status=429,
        body={"detail": "Too Many Requests"},
        headers={} if at.retry_after is None else {"retry-after": f"{at.retry_after:g}"},
    ),
    "flex_unavailable": _limited("flex_unavailable", "Flex processing is not available right now."),
    # 5xx
    "server_error": _broken(500, "An error occurred while processing your request."),
    "bad_gateway": _edge(502, "Bad Gateway"),
    "overloaded": _broken(
        503, "Selected model is at capacity. Please try a different model.", "server_is_overloaded"
    ),
    "gateway_timeout": _edge(504, "Gateway Time-out"),
    "edge_520": _edge(520, "Web server is returning an unknown error"),
    "edge_529": _edge(529, "Site is overloaded"),
    # The authorization server
    "refresh_token_expired": lambda _: _grant(
        "Your refresh token has expired. Please try signing in again.", "refresh_token_expired"
    ),
    "refresh_token_reused": lambda _: _grant(
        "Your refresh token has already been used to generate a new access token. "
        "Please try signing in again.",
        "refresh_token_reused",
    ),
    "refresh_token_invalidated": lambda _: _grant(
        "Your refresh token has been revoked. Please try signing in again.",
        "refresh_token_invalidated",
    ),
    "app_session_terminated": lambda _: _grant(
        "Your session has ended. Please try signing in again.", "app_session_terminated"
    ),
    "empty_refresh_token": lambda _: invalid(
        "Invalid 'refresh_token': empty string. Expected a string with minimum length 1, "
        "but got an empty string instead.",
        param="refresh_token",
        code="empty_string",
    ),
    "invalid_grant": lambda _: oauth_error(
        "invalid_grant", "The provided authorization grant or refresh token is invalid or expired."
    ),
    "authorization_pending": lambda _: _device(
        403,
        "deviceauth_authorization_unknown",
        "Device authorization is unknown. Please try again.",
    ),
    "device_slow_down": lambda _: _device(400, "slow_down", "Polling too often."),
    "deviceauth_expired": lambda _: _device(
        400, "deviceauth_expired", "Device authorization has expired."
    ),
    "access_denied": lambda _: _device(400, "access_denied", "Device authorization was denied."),
    "device_not_enabled": lambda _: Refusal(status=404, body={"detail": "Not Found"}),
}
"""Every refusal by its name; the name is also the name of the fault that gives it."""

FAILURE_MESSAGES: dict[str, str] = {
    "rate_limit_exceeded": "Rate limit reached for gpt-5.5. Please try again in 1.1s.",
    "server_is_overloaded": "Our servers are currently overloaded. Please try again later.",
    "slow_down": "Please slow down.",
    "usage_limit_reached": "The usage limit has been reached",
    "usage_not_included": "Usage not included in your plan",
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing details.",
    "context_length_exceeded": "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "invalid_prompt": "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
    "cyber_policy": "This request was flagged by our cybersecurity safeguards.",
    "content_policy_violation": "This request was flagged by our content policy.",
    "model_not_found": "The model was not found.",
    "previous_response_not_found": "Previous response was not found.",
    "flex_unavailable": "Flex processing is not available right now.",
    "server_error": "An error occurred while processing your request.",
}
"""The message of an in-stream failure with a code."""
