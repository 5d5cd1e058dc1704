"""The frozen record of one settled exchange, read by usage, log stream, metrics and access log."""

import enum
from typing import Any

import msgspec

from codex_proapi.commons.usage.token_counts import Tokens


class Ending(enum.StrEnum):
    """How an exchange closed."""

    WHOLE = "whole"
    """The client got a complete answer."""
    SHORT = "short"
    """A complete stream whose answer upstream cut (token limit, content filter)."""
    REFUSED = "refused"
    """An error status before the commit point: ours, the client's or upstream's."""
    BROKEN = "broken"
    """The stream failed after the first word."""
    ABANDONED = "abandoned"
    """The client disconnected."""


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt of an exchange on one lease."""

    account: str
    """Account id."""
    verdict: str
    """`committed`, or the verdict on its refusal."""
    choice: str = ""
    """The reason of the selection, from a closed set, such as `affinity`."""
    why: str = ""
    """The same in a sentence, with the figures it was decided by."""
    status: int = 0
    """Upstream's HTTP status; 0 when there was none."""
    code: str = ""
    """Upstream's error code, or ours for a transport fault."""
    milliseconds: int = 0
    """From the start of the attempt to its opening or refusal."""
    cause: str = ""
    """Why no connection could be made: `dns`, `tcp`, `tls` or `timeout`, then the system's words."""
    message: str = ""
    """Upstream's words in its refusal, without secrets and addresses, at most 160 characters."""
    repair: str = ""
    """The change with which the same account was tried once more, such as `without_tier`."""


class ExchangeRecord(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"selection_inputs": "ballots"},
):
    """One client request, from admission to settlement, without prompt, answer or tokens."""

    request_id: str
    """Our `x-request-id`; usage is counted once for it."""
    at: float
    """When it was admitted, seconds since the epoch."""
    endpoint: str
    """`chat`, `responses` or `compact`."""
    streamed: bool = False
    """Whether the client asked for a stream."""
    key_id: str = ""
    """API key id; empty in open mode."""
    key_name: str = ""
    """Its name."""
    asked_model: str = ""
    """What the client wrote (cleaned, at most 128 characters)."""
    sent_model: str = ""
    """What we sent upstream."""
    fallback: bool = False
    """Whether that is a fallback of the model asked for."""
    small_work: str = ""
    """Class of small work; empty for a user's own request."""
    small_work_outcome: str = ""
    """Whether the class' model was sent, and why not: a `WorkOutcome`."""
    effort: str = ""
    """Reasoning effort that was sent; empty where the model's own applies."""
    service_tier: str = ""
    """Service tier that was asked for; empty is the ordinary one."""
    answered_model: str = ""
    """What replied."""
    substituted: bool = False
    """Whether that is another model than was sent."""
    account: str = ""
    """Account that answered, if any."""
    attempts: tuple[AttemptRecord, ...] = ()
    """Every try, in order."""
    selection_inputs: tuple[Any, ...] = ()
    """For each try what its account was chosen from, or None; empty where all would be None. It is
    for the log line, not for the log stream, where it would take most of the room."""
    tokens: Tokens = Tokens()
    """Upstream's usage."""
    estimated: int = 0
    """Tokens of an answer that ended before upstream reported its usage; then `tokens` has none."""
    drawn_at: int = 0
    """Redis' second in which it was counted against its key's limits; 0 if it was not."""
    drawn_tokens: int = 0
    """The estimate that was counted then; settlement puts the truth in its place."""
    drawn_cost: int = 0
    """The estimated cost that was counted then, in millionths of a dollar."""
    fair_share_charge: int = 0
    """Tokens charged to its key's share of a scarce pool; settlement puts the truth in its place."""
    fair_share_weight: float = 0.0
    """The key's weight then; 0 if no share was claimed."""
    waited_ms: int = 0
    """Admission to the first attempt, and between attempts: for room, an account, or a pause."""
    first_byte_ms: int = 0
    """Admission to the first word for the client; 0 when there was none."""
    total_ms: int = 0
    """Admission to settlement."""
    silence_seconds: int = 0
    """Longest silence of upstream inside the answer, in whole seconds."""
    ending: Ending
    """How it closed."""
    status: int = 200
    """HTTP status the client saw; 499 when it left before one."""
    code: str = ""
    """Error code the client saw, if any."""
    limited: bool = False
    """Whether its key's limits or fair share refused it, and not the accounts."""
    upstream_request_id: str = ""
    """Upstream's own request id, for its support."""
    transport: str = ""
    """How the answer came: `http` or `websocket`; empty without one."""
    transport_why: str = ""
    """Why it came that way and how, in words; empty where UPSTREAM_TRANSPORT leaves no choice."""
    dropped: tuple[str, ...] = ()
    """Names of parameters that were accepted and left out."""

    @property
    def counted_model(self) -> str:
        """The model that usage counts it under: the one that answered, else the one sent; or empty."""
        return self.answered_model or self.sent_model
