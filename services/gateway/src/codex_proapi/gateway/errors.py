"""The gateway's errors. The class tells who is at fault, the HTTP status, and whether to retry.

GatewayError                     status, code, public message; cannot be raised itself
├── ClientFault                  caused by the request; the message describes it in full
│   ├── BadKey 401               OriginRefused 403             BadRequest 400 (param)
│   ├── UnknownModel 404         UnknownRoute 404              UpgradeRefused 426
│   ├── MethodRefused 405        BodyTooSlow 408               TooLarge 413
│   └── LimitExceeded 429        a limit of the client's own key; BudgetSpent (resets_at)
├── NoAccountAvailable           the operator has to add or repair accounts, or clients to wait
│   ├── NoAccounts 503           AllCooling 429 (retry_after)  AllSpent 429 (resets_at)
│   ├── AccountsClosed 503       their owners' terms allow none for this request now
├── Overloaded 503               this replica has no capacity left, or is draining
├── StoreUnreachable 503         Redis does not answer, so no request can be admitted
├── InternalFault 500            an unexpected exception; its traceback is in the log
└── UpstreamFault                caused by the backend or the way to it
    ├── UpstreamRefused          the backend's refusal, with the status mapped for clients
    ├── UpstreamUnreachable 502  UpstreamSlow 504
    └── Truncated · EmptyAnswer · Malformed 502    violations of the backend's protocol

How an error is worded for a client (OpenAI's `type`, the envelope, error events) belongs to the
formats of its dialect: `formats.openai.errors`.
"""

from typing import Final

CODES: Final = frozenset(
    {
        "account_deactivated", "accounts_closed", "bio_policy", "client_too_old", "content_policy_violation", "context_length_exceeded",
        "credit_balance_exhausted", "cyber_policy", "flex_unavailable", "insufficient_quota",
        "internal_error", "invalid_api_key", "invalid_body", "invalid_encrypted_content",
        "invalid_prompt", "invalid_request_error", "item_not_found", "malformed_http",
        "method_not_allowed", "misalignment_policy_violation", "login_renewing", "missing_required_parameter",
        "model_not_found", "no_accounts", "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded", "origin_not_allowed", "previous_response_not_found",
        "response_not_found",
        "project_spend_limit_exceeded", "rate_limit_exceeded", "request_head_too_large",
        "request_not_found", "request_timeout", "request_too_large", "response_in_progress", "server_error", "server_is_overloaded",
        "server_overloaded", "slow_down", "store_unavailable", "unknown_url", "unsupported_endpoint",
        "unsupported_content_encoding", "unsupported_parameter", "unsupported_value",
        "upstream_connection_lost", "upstream_empty_answer", "upstream_malformed",
        "upstream_stream_truncated", "upstream_timeout",
        "upstream_unavailable", "upstream_unreachable", "usage_limit_reached",
        "usage_not_included", "websocket_not_supported",
    }
)  # fmt: skip
"""Error codes that are metric labels: our own, and those of upstream that clients receive.

Any other code from upstream is counted as `other`.
"""


SERVER_FAULTS: Final = 500
"""The lowest status of errors that the client has not caused."""
LONGEST_WAIT: Final = 60.0
"""Most seconds in `Retry-After`: some clients sleep for whatever it says."""


class GatewayError(Exception):
    """Base class. `message` is sent to the client: no tokens, keys, prompts or answers in it."""

    status: int = 500
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    """Seconds for `Retry-After`, at most 60; None leaves the header out."""
    should_retry: bool | None = None
    """`x-should-retry`, for SDKs that read it; None leaves the header out."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if param is not None:
            self.param = param
        if retry_after is not None:
            self.retry_after = retry_after

    @property
    def label(self) -> str:
        """The code in records and metrics: `code`, or a general one if that is None."""
        return self.code or (
            "server_error" if self.status >= SERVER_FAULTS else "invalid_request_error"
        )


class ClientFault(GatewayError):
    """Caused by the client's request; not retried, and not counted against any account."""

    status = 400


class BadRequest(ClientFault):
    """The request body cannot be served; `param` names the parameter at fault."""


class BadKey(ClientFault):
    """The API key is missing or not accepted."""

    status = 401
    code = "invalid_api_key"


class OriginRefused(ClientFault):
    """A web origin or host name that is not served in open mode."""

    status = 403
    code = "origin_not_allowed"


class UnknownModel(ClientFault):
    """No account serves the model; the message lists the available ones."""

    status = 404
    code = "model_not_found"
    param = "model"


class UnknownResponse(ClientFault):
    """The stored response does not exist, has expired, or belongs to another key."""

    status = 404
    code = "response_not_found"


class UnknownRequest(ClientFault):
    """The log has no such request of the key."""

    status = 404
    code = "request_not_found"


class UnknownRoute(ClientFault):
    """The path does not exist; the message lists the existing ones."""

    status = 404
    code = "unknown_url"


class NotServed(ClientFault):
    """A path of OpenAI's or Anthropic's API that is not served; the message says what to use.

    A 404 and not a 501, which their SDKs would repeat.
    """

    status = 404
    code = "unsupported_endpoint"


class MethodRefused(ClientFault):
    """The path exists, but not for this method; `allowed` are those it has."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


class BodyTooSlow(ClientFault):
    """The request body did not arrive in time."""

    status = 408
    code = "request_timeout"


class TooLarge(ClientFault):
    """The body is larger than the limit, before or after decompression."""

    status = 413
    code = "request_too_large"


class UpgradeRefused(ClientFault):
    """WebSocket is not supported there, or not now; on 426 clients fall back to HTTP at once."""

    status = 426
    code = "websocket_not_supported"


class LimitExceeded(ClientFault):
    """A limit of the client's API key refuses the request."""

    status = 429
    code = "rate_limit_exceeded"


class BudgetSpent(LimitExceeded):
    """The key's budget of a day, a week or a month is spent; a retry soon would fail too."""

    code = "insufficient_quota"
    should_retry = False

    def __init__(self, message: str, *, resets_at: int, resets_in: int, period: str = "") -> None:
        """`period` is `day`, `week` or `month`; empty if unknown."""
        super().__init__(message)
        self.resets_at = resets_at
        self.resets_in = resets_in
        self.period = period


class NoAccountAvailable(GatewayError):
    """No account can be used now."""

    status = 503


class NoAccounts(NoAccountAvailable):
    """No account can serve the request, now or later, until the operator acts."""

    code = "no_accounts"
    should_retry = False


class AccountsClosed(NoAccountAvailable):
    """The terms of the accounts' owners allow none for this request, until a time or for good."""

    code = "accounts_closed"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """`retry_after` are the seconds until the first account opens; None if that is unknown."""
        super().__init__(message, retry_after=retry_after)
        self.should_retry = retry_after is not None and retry_after <= LONGEST_WAIT


class LoginRenewing(NoAccountAvailable):
    """The credentials of all accounts are being refreshed, which takes seconds."""

    code = "login_renewing"


class AllCooling(NoAccountAvailable):
    """All accounts are in cooldown for at most a minute."""

    status = 429
    code = "rate_limit_exceeded"


class AllSpent(NoAccountAvailable):
    """The quota of all accounts is spent for longer. No Retry-After: some clients would sleep for hours."""

    status = 429
    code = "rate_limit_exceeded"
    should_retry = False

    def __init__(self, message: str, *, resets_at: int, resets_in: int, plan: str) -> None:
        super().__init__(message)
        self.resets_at = resets_at
        self.resets_in = resets_in
        self.plan = plan


class Overloaded(GatewayError):
    """This replica has no capacity left or is draining; another replica may serve the request."""

    status = 503
    code = "server_overloaded"
    retry_after = 1


class StoreUnreachable(GatewayError):
    """Redis does not answer, so no request can be admitted."""

    status = 503
    code = "store_unavailable"
    retry_after = 2


class InternalFault(GatewayError):
    """An unexpected exception in this process; the message does not reveal the cause."""

    code = "internal_error"


class UpstreamFault(GatewayError):
    """Caused by the backend, or by the connection to it."""

    status = 502


class UpstreamRefused(UpstreamFault):
    """The backend refused; status and code are those that make clients act correctly."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, code=code, param=param, retry_after=retry_after)
        self.status = status


class UpstreamUnreachable(UpstreamFault):
    """No connection could be made, or it broke before an answer."""

    code = "upstream_unreachable"
    retry_after = 1


class UpstreamSlow(UpstreamFault):
    """No answer, or no further event of it, in time."""

    status = 504
    code = "upstream_timeout"


class Truncated(UpstreamFault):
    """The stream ended without a terminal event."""

    code = "upstream_stream_truncated"


class EmptyAnswer(UpstreamFault):
    """A complete stream without text or calls. Sent as 200 it would make agents retry for ever."""

    code = "upstream_empty_answer"


class Malformed(UpstreamFault):
    """Bytes that are not an event, or an event beyond the size limit."""

    code = "upstream_malformed"
