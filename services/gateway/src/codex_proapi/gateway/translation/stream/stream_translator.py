"""The protocol of stream translators and aggregators, and the response report they fill.

A translator turns upstream's bytes into the client's, one `bytes` for each read. It
uses no socket, clock or account; the response pump decides when to write and what to retry.
"""

from typing import Final, Protocol

import msgspec

from codex_proapi.commons.codex.quota_parser import Quota
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.codex.refusals import Refusal

NONE: Final[frozenset[str]] = frozenset()
UNKNOWN_NAMES: Final = 32
"""Most names of unknown events that are counted separately; the rest counts as `other`."""


class ResponseReport(msgspec.Struct):
    """The response report: what a translator observed in its answer, for the settlement."""

    tokens: Tokens | None = None
    """Usage from the terminal event, also of a failed answer; None if upstream sent none."""
    account: str = ""
    """Id of the account that answers, noted before its first byte; never written for clients."""
    answered_model: str = ""
    """The model named by upstream."""
    response_id: str = ""
    """The response's id, as the client knows it."""
    ending: Ending | None = None
    """WHOLE, SHORT or BROKEN; None while the answer is under way."""
    code: str = ""
    """Error code of a failure, or why the answer is short."""
    refusal: Refusal | None = None
    """A failure that upstream reported inside the stream."""
    quota: Quota | None = None
    """Quota from rate limit events."""
    metadata: dict[str, str] = {}
    """Late response headers from metadata events, lower case: turn state and the like."""
    unknown_events: dict[str, int] = {}
    """Number of unknown events, by name."""
    unknown_fields: frozenset[str] = NONE
    """Fields of its response object that are not known."""
    events: int = 0
    """Number of events that have come, whatever they are."""
    malformed_events: int = 0
    """Number of unreadable events that were forwarded to a Codex client."""
    response: bytes = b""
    """The finished response object as JSON, if the options say to keep it."""

    def __repr__(self) -> str:
        return f"<ResponseReport {self.ending or 'open'} {self.code}>"

    def count_unknown(self, name: str) -> None:
        """Count an unknown event under a bounded set of names."""
        counts = self.unknown_events
        counted = name if name in counts or len(counts) < UNKNOWN_NAMES else "other"
        counts[counted] = counts.get(counted, 0) + 1


class StreamTranslator(Protocol):
    """Translates one answer's bytes for a client.

    Call `feed` with every read until `done`; call `finish` when upstream closes before that. When
    either raises, or anything else ends the answer, `fail` returns the last bytes to write: what was
    translated before the fault, then the error in the stream's own form.
    """

    @property
    def report(self) -> ResponseReport:
        """The report so far."""

    @property
    def done(self) -> bool:
        """Whether the answer is complete; what upstream still sends is irrelevant."""

    @property
    def keep_alive(self) -> bytes:
        """The bytes to write while upstream sends nothing."""

    def feed(self, data: bytes) -> bytes:
        """Translate upstream's bytes into the client's; b"" if there is nothing to write."""

    def finish(self) -> bytes:
        """Return the rest when upstream has closed. Raises `Truncated` if the answer is incomplete."""

    def fail(self, error: GatewayError) -> bytes:
        """Return the last bytes, with an error. An aggregator, without a stream, raises it."""
