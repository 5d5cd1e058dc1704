"""The exchange: one client request from authentication to settlement.

It is the facts of the request (`accounting.exchange_facts`), noted as they come, and what the request
holds while it is under way: its body, the claims on its key, the upstream stream. An exchange is
settled exactly once. Settling is synchronous, so it cannot be cancelled half-way: it closes the
upstream stream, folds the facts into one `ExchangeRecord` and passes it to every reader.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from codex_proapi.commons.runtime.logging import redacted
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.gateway.accounting.exchange_facts import (
    MODEL_LENGTH,
    Attempt,
    Charged,
    ExchangeFacts,
    Requested,
    printable,
    record_of,
    requested_by,
)
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.codex.refusals import Refusal, words_of
from codex_proapi.gateway.limits.key_claims import Claims
from codex_proapi.gateway.policy.retry import RetryDecision
from codex_proapi.gateway.server.body_budget import BodyHold

if TYPE_CHECKING:
    from codex_proapi.commons.api_keys.small_work import WorkClass, WorkOutcome
    from codex_proapi.gateway.pool.lease import Lease

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


class Exchange(ExchangeFacts, kw_only=True, eq=False):
    """One request while it is under way; made by the task that serves it."""

    readers: Sequence[Reader]
    """Called with the record on settlement."""
    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds."""
    task: asyncio.Task[Any] | None = msgspec.field(default_factory=asyncio.current_task)
    """What `interrupt` cancels; None once the exchange is settled."""
    body: bytes = b""
    """The client's body, until the request is admitted; then empty."""
    hold: BodyHold = msgspec.field(default_factory=BodyHold)
    """The request's share of the body budget: its body and the stored items that it names."""
    claims: Claims = Claims()
    """The claims on the client's key; what they have charged is noted on settlement."""
    is_codex: bool = False
    """Whether the client is Codex, which gets upstream's headers."""
    upstream_head: UpstreamHead = UpstreamHead()
    """Headers of the latest upstream response, known before its first event; of a Codex client's
    request only."""
    interrupted: bool = False
    """Whether `interrupt` has ended it."""
    interruption: GatewayError | None = None
    """The client's error after an interruption; None if the client disconnected."""
    settled: bool = False
    """Whether it is settled."""
    stored_bytes: int = 0
    """Bytes of stored items that `hold` has."""
    opening: Closable | None = None
    """The upstream stream of the committed answer."""

    def __repr__(self) -> str:
        state = "settled" if self.settled else f"{len(self.attempts)} attempts"
        return f"<Exchange {self.request_id} {state}>"

    def body_turn(self) -> AbstractAsyncContextManager[None]:
        """The next turn at a thread that works on its body."""
        return self.hold.turn()

    def hold_stored(self, size: int) -> None:
        """Take the bytes of stored items that the request names from the body budget.

        In place of those of an earlier translation. Raises Overloaded.
        """
        self.hold.release(self.stored_bytes)
        self.stored_bytes = 0
        self.hold.take(size)
        self.stored_bytes = size

    def forget_request(self) -> None:
        """Drop the request's content, and release its share of the body budget."""
        self.body = b""
        if self.translated is not None:
            self.requested, self.translated = requested_by(self.translated), None
        self.hold.release()

    def note_dropped(self, name: str) -> None:
        """Note a parameter that was left out although its translation was possible."""
        if self.translated is not None:
            dropped = dict.fromkeys((*self.translated.dropped, name))
            self.translated = msgspec.structs.replace(self.translated, dropped=tuple(dropped))

    def note_small_work(self, work: "WorkClass", outcome: "WorkOutcome") -> None:
        """Note the class of small work, and what became of it."""
        self.small_work, self.small_work_outcome = work.value, outcome.value

    def note_asked(self, model: str, streamed: bool) -> None:  # noqa: FBT001 - as it was read
        """Note what a request asked for whose body is refused."""
        named = redacted(model[:MODEL_LENGTH])  # anything may stand where a model should
        self.requested, self.translated = Requested(streamed, printable(named)), None

    def begin(self, lease: "Lease") -> None:
        """Begin an attempt on a lease."""
        self.attempts.append(
            Attempt(self.clock(), lease.account.id, lease.basis, lease.why, lease.selection_input)
        )

    def refuse(self, refusal: Refusal, decision: RetryDecision) -> None:
        """Note that the latest attempt was refused, and what followed; replaces an earlier outcome."""
        attempt = self.attempts[-1]
        attempt.ended, attempt.verdict = self.clock(), decision.verdict.value
        attempt.status, attempt.code = refusal.status, refusal.code[:64]
        attempt.cause, attempt.message = refusal.cause[:96], words_of(refusal)
        attempt.repair = decision.change or ""

    def note_head(self, account_id: str, headers: Mapping[str, str]) -> None:
        """Note the headers of an upstream response, before its first event."""
        self.upstream_head = UpstreamHead(account_id, headers)

    def commit(self, opening: Closable, account: str, upstream_request_id: str = "") -> None:
        """Take over the stream of the latest attempt, which is committed: settling closes it."""
        self.opening = opening
        self.account, self.upstream_request_id = account, upstream_request_id
        self.transport = getattr(opening, "transport", "http")
        self.transport_why = getattr(opening, "way", "")
        attempt = self.attempts[-1]
        attempt.ended, attempt.verdict, attempt.status = self.clock(), "committed", 200

    def speak(self) -> None:
        """Note the time of the first byte to the client; later calls have no effect."""
        if self.spoke is None:
            self.spoke = self.clock()

    def note_silence(self, seconds: int) -> None:
        """Note a time without data from upstream since the commit point; the longest counts."""
        self.silence_seconds = max(self.silence_seconds, seconds)

    def interrupt(self, reason: GatewayError | None) -> None:
        """Cancel the exchange from another task.

        Args:
            reason: the client's error; None if the client disconnected.
        """
        if self.ending is not None or self.task is None or self.interrupted:
            return
        self.interrupted = True
        self.interruption = reason
        if reason is None:
            self.end(Ending.ABANDONED)
        self.task.cancel()

    def settle(self) -> None:
        """Close the upstream stream and pass the record to the readers; only the first call counts."""
        if self.settled:
            return
        self.settled = True
        self.task = None
        if not self.hold.closed:
            self.forget_request()
        if self.opening is not None:
            self.opening.close()
        if self.claims.charge is not None or self.claims.fair_share is not None:
            self.charged = _charged(self.claims)
        record = record_of(self, settled_at=self.clock())
        for read in self.readers:
            try:
                read(record)
            except Exception:
                log.exception("settlement.failed", reader=repr(read))


def _charged(claims: Claims) -> Charged:
    """What claims have charged to their key."""
    charge, share = claims.charge, claims.fair_share
    drawn = charge is not None and charge.drawn_at
    shared = share is not None and share.charged
    return Charged(
        drawn_at=charge.drawn_at if charge and drawn else 0,
        drawn_tokens=charge.tokens if charge and drawn else 0,
        drawn_cost=charge.cost if charge and drawn else 0,
        fair_share_charge=share.charge if share and shared else 0,
        fair_share_weight=share.weight if share and shared else 0.0,
    )
