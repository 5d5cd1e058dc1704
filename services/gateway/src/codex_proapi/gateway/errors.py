"""The gateway's errors: a class says whose fault it is, which status it has and what may follow.

GatewayError                     status, code, public message; cannot be raised itself
├── ClientFault                  the client's; safe to describe in full
│   ├── BadKey 401               OriginRefused 403             BadRequest 400 (param)
│   ├── UnknownModel 404         UnknownRoute 404              UpgradeRefused 426
│   ├── MethodRefused 405        BodyTooSlow 408               TooLarge 413
│   └── LimitExceeded 429        a limit of the client's own key; BudgetSpent (resets_at)
├── NoAccountAvailable           for the operator to arrange
│   ├── NoAccounts 503           AllCooling 429 (retry_after)  AllSpent 429 (resets_at)
├── Overloaded 503               this replica is full or draining
├── StoreUnreachable 503         Redis does not answer: nobody can be admitted
├── InternalFault 500            a fault of this process; the log has its trace
└── UpstreamFault                the backend's
    ├── UpstreamRefused          the final refusal, its status mapped
    ├── UpstreamUnreachable 502  UpstreamSlow 504
    └── Truncated · EmptyAnswer · Malformed 502    it broke its own protocol

How an error is worded for a client (OpenAI's `type`, the envelope, error events) belongs to the
formats of its dialect: `formats.openai.errors`.
"""

from typing import Final

CODES: Final = frozenset(
    {
        "account_deactivated", "bio_policy", "content_policy_violation", "context_length_exceeded",
        "credit_balance_exhausted", "cyber_policy", "flex_unavailable", "insufficient_quota",
        "internal_error", "invalid_api_key", "invalid_body", "invalid_encrypted_content",
        "invalid_prompt", "invalid_request_error", "item_not_found", "malformed_http",
        "method_not_allowed", "misalignment_policy_violation", "login_renewing", "missing_required_parameter",
        "model_not_found", "no_accounts", "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded", "origin_not_allowed", "previous_response_not_found",
        "project_spend_limit_exceeded", "rate_limit_exceeded", "request_head_too_large",
        "request_timeout", "request_too_large", "server_error", "server_is_overloaded",
        "server_overloaded", "slow_down", "store_unavailable", "unknown_url",
        "unsupported_content_encoding", "unsupported_parameter", "unsupported_value",
        "upstream_connection_lost", "upstream_empty_answer", "upstream_malformed",
        "upstream_stream_truncated", "upstream_timeout",
        "upstream_unavailable", "upstream_unreachable", "usage_limit_reached",
        "usage_not_included", "websocket_not_supported",
    }
)  # fmt: skip
"""Codes of errors that are counted apart: ours, and those of upstream that pass through here.

Upstream may send any other; a client's figures then say `other`.
"""


SERVER_FAULTS: Final = 500
"""The lowest status that is not the client's doing."""
LONGEST_WAIT: Final = 60.0
"""Seconds that `Retry-After` says at most: some clients sleep for whatever it says."""


class GatewayError(Exception):
    """Root of the tree. `message` is public: never a token, a key, a prompt or an answer."""

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
        """The name in records and metrics: the code, or a general one where there is none."""
        return self.code or (
            "server_error" if self.status >= SERVER_FAULTS else "invalid_request_error"
        )


class ClientFault(GatewayError):
    """The client's doing; described in full, never retried, never blamed on an account."""

    status = 400


class BadRequest(ClientFault):
    """The body is not one we can serve; `param` names the culprit."""


class BadKey(ClientFault):
    """No API key, or one we do not accept."""

    status = 401
    code = "invalid_api_key"


class OriginRefused(ClientFault):
    """A web page, or a host name, that is not served while no key is needed."""

    status = 403
    code = "origin_not_allowed"


class UnknownModel(ClientFault):
    """No account serves this model; the message lists those there are."""

    status = 404
    code = "model_not_found"
    param = "model"


class UnknownRoute(ClientFault):
    """No such path; the message names those there are."""

    status = 404
    code = "unknown_url"


class MethodRefused(ClientFault):
    """The path exists, but not for this method."""

    status = 405
    code = "method_not_allowed"


class BodyTooSlow(ClientFault):
    """The request body did not arrive in time."""

    status = 408
    code = "request_timeout"


class TooLarge(ClientFault):
    """The body is larger than the limit, before or after decompression."""

    status = 413
    code = "request_too_large"


class UpgradeRefused(ClientFault):
    """WebSocket is not spoken here; clients fall back to HTTP at once on 426."""

    status = 426
    code = "websocket_not_supported"


class LimitExceeded(ClientFault):
    """A limit of the client's own key."""

    status = 429
    code = "rate_limit_exceeded"


class BudgetSpent(LimitExceeded):
    """The key's tokens of a day, a week or a month are spent: waiting a little does not help."""

    code = "insufficient_quota"
    should_retry = False

    def __init__(self, message: str, *, resets_at: int, resets_in: int) -> None:
        super().__init__(message)
        self.resets_at = resets_at
        self.resets_in = resets_in


class NoAccountAvailable(GatewayError):
    """No account may be asked now."""

    status = 503


class NoAccounts(NoAccountAvailable):
    """There is no account that could serve this at all."""

    code = "no_accounts"
    should_retry = False


class LoginRenewing(NoAccountAvailable):
    """Every account's login is being renewed; that takes seconds."""

    code = "login_renewing"


class AllCooling(NoAccountAvailable):
    """Every account is cooling down for a short time."""

    status = 429
    code = "rate_limit_exceeded"


class AllSpent(NoAccountAvailable):
    """Every account's quota is spent for long: no Retry-After, or some clients sleep for hours."""

    status = 429
    code = "rate_limit_exceeded"
    should_retry = False

    def __init__(self, message: str, *, resets_at: int, resets_in: int, plan: str) -> None:
        super().__init__(message)
        self.resets_at = resets_at
        self.resets_in = resets_in
        self.plan = plan


class Overloaded(GatewayError):
    """This replica is full or draining; another may not be."""

    status = 503
    code = "server_overloaded"
    retry_after = 1


class StoreUnreachable(GatewayError):
    """Redis does not answer: without it nobody can be admitted."""

    status = 503
    code = "store_unavailable"
    retry_after = 2


class InternalFault(GatewayError):
    """A fault of our own; its message says nothing of the cause."""

    code = "internal_error"


class UpstreamFault(GatewayError):
    """The backend's doing."""

    status = 502


class UpstreamRefused(UpstreamFault):
    """The final refusal, with the status and code that tell a client what to do."""

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
    """No connection, or it broke before an answer."""

    code = "upstream_unreachable"
    retry_after = 1


class UpstreamSlow(UpstreamFault):
    """No answer, or no next word, in time."""

    status = 504
    code = "upstream_timeout"


class Truncated(UpstreamFault):
    """The stream ended without a terminal event."""

    code = "upstream_stream_truncated"


class EmptyAnswer(UpstreamFault):
    """A whole stream without a word or a call: agents would retry for ever on a 200."""

    code = "upstream_empty_answer"


class Malformed(UpstreamFault):
    """Bytes that are no event at all, or an event beyond the size limit."""

    code = "upstream_malformed"
