"""The exchange: one client request from authentication to settlement.

It is a list of facts (`accounting.exchange_facts`), each noted by a method, and what the request
holds while it is under way: its body, the claims on its key, the upstream stream. An exchange is
settled exactly once. Settling is synchronous, so it cannot be cancelled half-way: it closes the
upstream stream, folds the facts into one `ExchangeRecord` and passes it to every reader.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from codex_proapi.commons.runtime.logging import redacted
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.gateway.accounting.exchange_facts import (
    MODEL_LENGTH,
    Answered,
    Attempted,
    AttemptEnded,
    Charged,
    Classified,
    Ended,
    Estimated,
    Fact,
    Identified,
    Opened,
    Reported,
    Spoke,
    Translated,
    record_of,
)
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.codex.refusals import Refusal, words_of
from codex_proapi.gateway.limits.key_claims import Claims
from codex_proapi.gateway.policy.retry import RetryDecision
from codex_proapi.gateway.server.body_budget import BodyHold

if TYPE_CHECKING:
    from codex_proapi.commons.api_keys.small_work import WorkClass, WorkOutcome
    from codex_proapi.commons.api_keys.store import ApiKey
    from codex_proapi.gateway.pool.lease import Lease
    from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
    from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

Reader = Callable[[ExchangeRecord], None]
"""Called with the record of a settled exchange; synchronous, so it must not block."""

log = structlog.get_logger(__name__)


class Closable(Protocol):
    """The part of an upstream stream that settling uses."""

    def close(self) -> None:
        """Return the connection to its pool, or close it; may be called repeatedly."""


class UpstreamHead(msgspec.Struct, frozen=True):
    """Headers of the latest upstream response, and the account that sent them."""

    account_id: str = ""
    headers: Mapping[str, str] = {}
    """By lower-case name."""


class Exchange:
    """One request while it is under way.

    Args:
        request_id: id of the request, as in `x-request-id`.
        endpoint: name of the dialect.
        at: seconds since the epoch, by the shared clock.
        readers: called with the record on settlement.
        key: the client's key; None in open mode.
        hold: the request's share of the body budget.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        request_id: str,
        endpoint: str,
        at: float,
        readers: Sequence[Reader],
        key: "ApiKey | None" = None,
        hold: BodyHold | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opened = Opened(request_id=request_id, endpoint=endpoint, at=at, began=clock())
        self.request_id = request_id
        """Id of the request."""
        self.at = at
        """When it was authenticated, seconds since the epoch."""
        self._facts: list[Fact] = []
        self._readers = readers
        self._clock = clock
        self._task = asyncio.current_task()
        self.body = b""
        """The client's body, until the request is admitted; then empty."""
        self.hold = hold or BodyHold()
        """The request's share of the body budget: its body and the stored items that it names."""
        self.key = key
        """The client's key by its current terms; None in open mode."""
        self.claims = Claims()
        """The claims on the client's key."""
        self.estimate = 0
        """Estimated input tokens; 0 before they are known."""
        self.account = ""
        """Id of the account whose answer reached its commit point; empty before."""
        self.upstream_head = UpstreamHead()
        """Headers of the latest upstream response, known before its first event."""
        self.report: ResponseReport | None = None
        """What the current translator has seen of the answer."""
        self.interrupted = False
        """Whether `interrupt` has ended it."""
        self.interruption: GatewayError | None = None
        """The client's error after an interruption; None if the client disconnected."""
        self.settled = False
        """Whether it is settled."""
        self._stored_bytes = 0
        self._events = 0
        self._silence_seconds = 0
        self._opening: Closable | None = None
        self._ended = self._spoken = False

    def __repr__(self) -> str:
        attempts = sum(isinstance(fact, Attempted) for fact in self._facts)
        state = "settled" if self.settled else f"{attempts} attempts"
        return f"<Exchange {self.request_id} {state}>"

    def body_turn(self) -> AbstractAsyncContextManager[None]:
        """The next turn at a thread that works on its body."""
        return self.hold.turn()

    def hold_stored(self, size: int) -> None:
        """Take the bytes of stored items that the request names from the body budget.

        In place of those of an earlier translation. Raises Overloaded.
        """
        self.hold.release(self._stored_bytes)
        self._stored_bytes = 0
        self.hold.take(size)
        self._stored_bytes = size

    def forget_request(self) -> None:
        """Drop the body, and release the request's share of the body budget."""
        self.body = b""
        self.hold.release()

    def note_translation(self, translated: "TranslatedRequest") -> None:
        """Note the translated request."""
        effort, tier = translated.request.reasoning.get("effort"), translated.request.service_tier
        self._facts.append(
            Translated(
                streamed=translated.stream,
                asked_model=translated.replaces or translated.asked_model,
                fallback=bool(translated.replaces) and not translated.small_work,
                effort=effort if isinstance(effort, str) else "",
                service_tier=tier if isinstance(tier, str) else "",
                sent_model=translated.request.model,
                reserve_of=translated.request.reserve_of,
                dropped=translated.dropped,
            )
        )

    def note_small_work(self, work: "WorkClass", outcome: "WorkOutcome") -> None:
        """Note the class of small work, and what became of it."""
        self._facts.append(Classified(work_class=work.value, outcome=outcome.value))

    def note_asked(self, model: str, streamed: bool) -> None:  # noqa: FBT001 - as it was read
        """Note what a request asked for whose body is refused."""
        named = redacted(model[:MODEL_LENGTH])  # anything may stand where a model should
        self._facts.append(Translated(streamed=streamed, asked_model=named, sent_model=""))

    def claim(self, claims: Claims) -> None:
        """Set the claims on the client's key; what they have charged is noted on settlement."""
        self.claims = claims

    def begin(self, lease: "Lease") -> None:
        """Begin an attempt on a lease."""
        self._facts.append(
            Attempted(
                at=self._clock(),
                account=lease.account.id,
                choice=lease.basis.value,
                why=lease.why,
                selection_input=lease.selection_input,
            )
        )

    def refuse(self, refusal: Refusal, decision: RetryDecision) -> None:
        """Note that the latest attempt was refused, and what followed; replaces an earlier outcome."""
        self._facts.append(
            AttemptEnded(
                at=self._clock(),
                verdict=decision.verdict.value,
                status=refusal.status,
                code=refusal.code[:64],
                cause=refusal.cause[:96],
                message=words_of(refusal),
                repair=(decision.change or ""),
            )
        )

    def note_head(self, account_id: str, headers: Mapping[str, str]) -> None:
        """Note the headers of an upstream response, before its first event."""
        self.upstream_head = UpstreamHead(account_id, headers)

    def commit(self, opening: Closable, account: str, upstream_request_id: str = "") -> None:
        """Take over the stream of the latest attempt, which is committed: settling closes it."""
        self._opening = opening
        self.account = account
        self._facts += (
            Answered(
                account=account,
                upstream_request_id=upstream_request_id,
                transport=getattr(opening, "transport", "http"),
                transport_why=getattr(opening, "way", ""),
            ),
            AttemptEnded(at=self._clock(), verdict="committed", status=200),
        )

    def count_events(self, count: int) -> None:
        """Count events received from upstream."""
        self._events += count

    def note_silence(self, seconds: int) -> None:
        """Note a time without data from upstream since the commit point; the longest counts."""
        self._silence_seconds = max(self._silence_seconds, seconds)

    def speak(self) -> None:
        """Note the time of the first byte to the client; later calls have no effect."""
        if not self._spoken:
            self._spoken = True
            self._facts.append(Spoke(self._clock()))

    def end(
        self, ending: Ending, *, status: int = 0, code: str = "", limited: bool = False
    ) -> None:
        """Note ending, status, code and whether its key's limits refused it; the first call counts."""
        self._ended = True
        self._facts.append(Ended(ending=ending, status=status, code=code, limited=limited))

    def interrupt(self, reason: GatewayError | None) -> None:
        """Cancel the exchange from another task.

        Args:
            reason: the client's error; None if the client disconnected.
        """
        if self._ended or self._task is None or self.interrupted:
            return
        self.interrupted = True
        self.interruption = reason
        if reason is None:
            self.end(Ending.ABANDONED)
        self._task.cancel()

    def settle(self) -> None:
        """Close the upstream stream and pass the record to the readers; only the first call counts."""
        if self.settled:
            return
        self.settled = True
        self._task = None
        self.forget_request()
        if self._opening is not None:
            self._opening.close()
        self._facts += self._last_facts()
        record = record_of(self._opened, self._facts, settled_at=self._clock())
        for read in self._readers:
            try:
                read(record)
            except Exception:
                log.exception("settlement.failed", reader=repr(read))

    def _last_facts(self) -> tuple[Fact, ...]:
        """What is known in the end of the key, of what it was charged, and of the answer."""
        key, report = self.key, self.report
        charge, share = self.claims.charge, self.claims.fair_share
        shared = share is not None and share.charged
        return (
            Identified(key_id=key.id, key_name=key.name) if key is not None else Identified(),
            Estimated(self.estimate),
            Charged(
                drawn_at=charge.drawn_at if charge else 0,
                drawn_tokens=charge.tokens if charge else 0,
                drawn_cost=charge.cost if charge else 0,
                fair_share_charge=share.charge if share and shared else 0,
                fair_share_weight=share.weight if share and shared else 0.0,
            ),
            Reported(
                answered_model=report.answered_model if report else "",
                tokens=report.tokens if report else None,
                events=self._events,
                silence_seconds=self._silence_seconds,
            ),
        )
