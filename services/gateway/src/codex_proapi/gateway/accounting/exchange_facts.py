"""The facts of an exchange, noted while it is under way, and their fold into its record.

An exchange is cut off at any time: by its client, by an administrator, by a shutdown. Whatever has
been noted until then gives a sound record, so nobody has to note facts in a certain order. All times
are monotonic seconds of one clock.
"""

import time
from typing import Any, Final

import msgspec

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.codex.substitution import RESERVE, is_substitution
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

CLIENT_LEFT: Final = 499
"""Status in the record of a client that left before it had one."""
NO_STATUS: Final = 500
"""Status in the record of an exchange that ended by a fault of our own."""
MODEL_LENGTH: Final = 128
ABANDONED: Final = "abandoned"
"""The verdict on an attempt without an outcome."""


class Requested(msgspec.Struct, frozen=True):
    """What the record tells of a request, without its content."""

    streamed: bool = False
    asked_model: str = ""
    """As the client wrote it: printable, at most MODEL_LENGTH long."""
    sent_model: str = ""
    reserve_of: str = ""
    """The model that the sent one stands for, if it is the reserve."""
    effort: str = ""
    service_tier: str = ""
    fallback: bool = False
    """Whether it serves in place of the model that was asked for."""
    dropped: tuple[str, ...] = ()
    """Names of parameters that were left out."""


class Charged(msgspec.Struct, frozen=True, kw_only=True):
    """What was charged to the client's key."""

    drawn_at: int = 0
    """Redis' second in which its limits were charged; 0 if they were not, and nothing was drawn."""
    drawn_tokens: int = 0
    drawn_cost: int = 0
    fair_share_charge: int = 0
    """Tokens charged to its fair share."""
    fair_share_weight: float = 0.0
    """The key's weight then; 0 if no share was charged."""


class Attempt(msgspec.Struct):
    """One attempt, with its latest outcome: a committed answer may break off."""

    at: float
    """When it began."""
    account: str
    choice: str
    """The rule that selected the account."""
    why: str = ""
    """The reason in words."""
    selection_input: Any = None
    ended: float | None = None
    """When its outcome was known; None without one."""
    verdict: str = ABANDONED
    status: int = 0
    code: str = ""
    cause: str = ""
    message: str = ""
    repair: str = ""
    """The change with which the same account is to be tried once more."""


NOT_REQUESTED: Final = Requested()
NOT_CHARGED: Final = Charged()
NO_REPORT: Final = ResponseReport()
NO_TOKENS: Final = Tokens()
"""What holds where nothing was noted."""


class ExchangeFacts(msgspec.Struct, kw_only=True, eq=False):
    """Everything that the record of an exchange is made of."""

    request_id: str
    """Id of the request, as in `x-request-id`."""
    endpoint: str
    """Name of the dialect."""
    at: float
    """When it was authenticated, seconds since the epoch by the shared clock."""
    began: float = msgspec.field(default_factory=time.monotonic)
    """The same, in monotonic seconds."""
    key: ApiKey | None = None
    """The client's key by its current terms; None in open mode."""
    translated: TranslatedRequest | None = None
    """The request by its latest translation, as long as its content may be needed."""
    requested: Requested = NOT_REQUESTED
    """What is known of the request otherwise."""
    small_work: str = ""
    """Its class, if the request is small work."""
    small_work_outcome: str = ""
    """A `WorkOutcome`."""
    estimate: int = 0
    """Estimated input tokens; 0 before they are known."""
    charged: Charged = NOT_CHARGED
    attempts: list[Attempt] = []
    account: str = ""
    """Id of the account whose answer reached its commit point; empty before."""
    upstream_request_id: str = ""
    transport: str = ""
    transport_why: str = ""
    spoke: float | None = None
    """When the first byte of the answer went to the client."""
    report: ResponseReport | None = None
    """What the current translator has seen of the answer."""
    events: int = 0
    """Events received: the estimated output tokens, at about one token each."""
    silence_seconds: int = 0
    """Longest time without data from upstream since the commit point."""
    ending: Ending | None = None
    status: int = 0
    """HTTP status the client has seen; 0 to derive it."""
    code: str = ""
    limited: bool = False
    """Whether its key's limits or fair share refused it."""

    def end(
        self, ending: Ending, *, status: int = 0, code: str = "", limited: bool = False
    ) -> None:
        """Note ending, status, code and whether its key's limits refused it; the first call counts."""
        if self.ending is None:
            self.ending, self.status, self.code, self.limited = ending, status, code, limited


def requested_by(translated: TranslatedRequest) -> Requested:
    """What the record tells of a translated request."""
    request, asked = translated.request, translated.replaces or translated.asked_model
    effort = request.reasoning.get("effort", "")
    if not isinstance(effort, str):
        effort = ""
    tier = request.service_tier
    if not isinstance(tier, str):
        tier = ""
    texts = asked + effort + tier
    if len(texts) > MODEL_LENGTH or not texts.isprintable():
        asked, effort, tier = map(printable, (asked, effort, tier))
    return Requested(
        translated.stream,
        asked,
        request.model,
        request.reserve_of,
        effort,
        tier,
        bool(translated.replaces) and not translated.small_work,
        translated.dropped,
    )


def printable(text: str) -> str:
    """A text of a client without unprintable characters, at most MODEL_LENGTH long."""
    return "".join(filter(str.isprintable, text[:MODEL_LENGTH]))


def record_of(facts: ExchangeFacts, *, settled_at: float) -> ExchangeRecord:
    """The record of an exchange that is settled now."""
    key, charged, translated = facts.key, facts.charged, facts.translated
    request = facts.requested if translated is None else requested_by(translated)
    report = facts.report or NO_REPORT
    attempts, inputs, waited = _attempts(facts, settled_at)
    model, stands_for, spoke = report.answered_model, request.reserve_of, facts.spoke
    ending = facts.ending or (Ending.REFUSED if spoke is None else Ending.BROKEN)
    unreported = report.tokens is None and facts.account
    return ExchangeRecord(
        request_id=facts.request_id,
        at=facts.at,
        endpoint=facts.endpoint,
        streamed=request.streamed,
        key_id=key.id if key else "",
        key_name=key.name if key else "",
        asked_model=request.asked_model,
        sent_model=request.sent_model,
        fallback=request.fallback,
        small_work=facts.small_work,
        small_work_outcome=facts.small_work_outcome,
        effort=request.effort,
        service_tier=request.service_tier,
        # Of a reserve the model that it serves, by which usage is counted and priced.
        answered_model=stands_for if stands_for and model == RESERVE else model,
        substituted=is_substitution(request.sent_model, model, stands_for=stands_for),
        account=facts.account,
        attempts=attempts,
        waited_ms=waited,
        selection_inputs=inputs,
        tokens=report.tokens or NO_TOKENS,
        estimated=facts.estimate + facts.events if unreported else 0,
        drawn_at=charged.drawn_at,
        drawn_tokens=charged.drawn_tokens,
        drawn_cost=charged.drawn_cost,
        fair_share_charge=charged.fair_share_charge,
        fair_share_weight=charged.fair_share_weight,
        # At least one millisecond: 0 means that there was no first byte.
        first_byte_ms=max(1, round((spoke - facts.began) * 1000)) if spoke is not None else 0,
        total_ms=round((settled_at - facts.began) * 1000),
        silence_seconds=facts.silence_seconds,
        ending=ending,
        status=facts.status or _status_of(ending, spoke),
        code=facts.code,
        limited=facts.limited,
        upstream_request_id=facts.upstream_request_id,
        transport=facts.transport,
        transport_why=facts.transport_why,
        dropped=request.dropped,
    )


def _attempts(
    facts: ExchangeFacts, settled_at: float
) -> tuple[tuple[AttemptRecord, ...], tuple[Any, ...], int]:
    """The attempts, what their accounts were selected from, and the milliseconds of waiting.

    The second is empty where none of that is to be logged; the third is the time before and between
    the attempts: without any all was waiting.
    """
    attempts, records, inputs = facts.attempts, [], []
    since: float | None = facts.began
    waited = 0.0
    for number, attempt in enumerate(attempts, start=1):
        if since is not None:
            waited += attempt.at - since
        since = attempt.ended
        inputs.append(attempt.selection_input)
        # A repair was one only if the same account was tried with it.
        repaired = (
            attempt.repair
            and number < len(attempts)
            and attempts[number].account == attempt.account
        )
        ended = settled_at if since is None else since
        records.append(
            AttemptRecord(
                account=attempt.account,
                verdict=attempt.verdict,
                choice=attempt.choice,
                why=attempt.why,
                status=attempt.status,
                code=attempt.code,
                cause=attempt.cause,
                message=attempt.message,
                repair=attempt.repair if repaired else "",
                milliseconds=round((ended - attempt.at) * 1000),
            )
        )
    if not attempts:
        waited = settled_at - facts.began
    return tuple(records), tuple(inputs) if any(inputs) else (), max(0, round(waited * 1000))


def _status_of(ending: Ending, spoke: float | None) -> int:
    """The status where none was noted: 200 for an answer that has started."""
    if spoke is not None or ending in {Ending.WHOLE, Ending.SHORT}:
        return 200
    return CLIENT_LEFT if ending is Ending.ABANDONED else NO_STATUS
