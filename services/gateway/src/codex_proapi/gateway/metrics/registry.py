"""Counts the gateway's exchanges and events in its Prometheus series.

Label values come from closed sets: endpoints, endings, opaque account ids, models of the catalogue,
codes and parameters of our tables; any other is `other`. No label contains text from a client.
"""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import astuple
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import generate_latest

from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.gateway.errors import CODES
from codex_proapi.gateway.formats.openai.parameter_names import counted_as
from codex_proapi.gateway.metrics.histograms import LabelledCount, LabelledHistogram
from codex_proapi.gateway.metrics.series import (
    EVENT_FAMILIES,
    OTHER,
    TOKEN_KINDS,
    RedisWork,
    Series,
)

NONE: Final = "none"
"""Model label of exchanges refused before their model was known."""
FAILED: Final = frozenset({Ending.REFUSED, Ending.BROKEN})
"""Endings with which the client received an error; one that has disconnected received none."""
MOST_KINDS: Final = 1024
"""Most kinds of exchange whose series are remembered."""
MOST_MODELS: Final = 20
"""Most models used as labels on one replica; further ones are counted as `other`."""


class _Kind(msgspec.Struct, frozen=True):
    """The series that exchanges of one kind are counted in."""

    exchanges: LabelledCount
    histograms: Sequence[LabelledHistogram]
    """Of their duration; and, unless they were refused, of the first byte and the longest silence."""
    tokens: Sequence[LabelledCount]
    """In the order of TOKEN_KINDS; none where no model answered."""


class Metrics(Series):
    """The series of one process. Children are created once for each label set, then reused."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._known_models: Collection[str] = ()
        self._labelled_models: set[str] = set()
        self._kinds: dict[tuple[str, Ending, str, str], _Kind] = {}
        """By endpoint, ending and models, as records have them."""
        self._counted: dict[tuple[str, ...], Counter] = {}
        self.snapshot_took = self.snapshot_seconds.of().note
        """Observes the duration of one snapshot, in seconds."""

    def __repr__(self) -> str:
        return f"<Metrics with {len(self._kinds)} kinds of exchange>"

    def know_models(self, models: Collection[str]) -> None:
        """Set the models that may become labels; any other is counted as `other`."""
        self._known_models = models
        self._kinds.clear()

    def settle(self, record: ExchangeRecord) -> None:
        """Count one settled exchange; a reader of exchange records."""
        kind_of = record.endpoint, record.ending, record.sent_model, record.answered_model
        kind = self._kinds.get(kind_of) or self._new_kind(*kind_of)
        kind.exchanges.count += 1
        values = record.total_ms / 1000, record.first_byte_ms / 1000, record.silence_seconds
        # As `LabelledHistogram.note` counts, without a call for each.
        for histogram, value in zip(kind.histograms, values, strict=False):
            histogram.counts[bisect_left(histogram.bounds, value)] += 1
            histogram.total += value
            if not record.first_byte_ms:
                break
        amounts = astuple(record.tokens)  # in the order of TOKEN_KINDS
        for counter, amount in zip(kind.tokens, amounts, strict=False):
            counter.count += amount
        for attempt in record.attempts:
            self.attempts.counts[attempt.account, attempt.verdict].count += 1
        if record.key_id:
            for name, amount in zip(TOKEN_KINDS, amounts, strict=True):
                if amount:
                    self.key_tokens.counts[record.key_id, name].count += amount
        if record.ending in FAILED or record.small_work or record.dropped:
            self._count_unusual(record)

    def redis_failed(self, work: RedisWork) -> None:
        """Count one failure of Redis."""
        self.redis_errors.labels(work.value).inc()

    def count_strange_events(self, unknown: Mapping[str, int], *, malformed: int) -> None:
        """Count unknown events of an answer by name, and events that could not be read."""
        for name, count in unknown.items():
            family = name.partition(".")[0]
            self.unknown_events.labels(family if family in EVENT_FAMILIES else OTHER).inc(count)
        self.malformed_events.inc(malformed)

    def count_substitution(self, account_id: str, *, sent: str, answered: str) -> None:
        """Count an answer begun by another model than was sent."""
        models = self._model_label(sent), self._model_label(answered)
        self.substitutions.labels(account_id, *models).inc()

    def connect_failed(self, cause: str) -> None:
        """Count a failure to connect to upstream, by the step that failed."""
        self.connect_failures.labels(cause).inc()

    def show_accounts(self, states: Mapping[str, int]) -> None:
        """Set the number of accounts in each state."""
        for state, count in states.items():
            self.accounts.labels(state).set(count)

    def exposition(self) -> bytes:
        """All series in Prometheus' text format."""
        return generate_latest(self.registry)

    def _model_label(self, model: str) -> str:
        if not model:
            return NONE
        if model in self._labelled_models:
            return model
        if model not in self._known_models or len(self._labelled_models) >= MOST_MODELS:
            return OTHER
        self._labelled_models.add(model)
        return model

    def _child(self, counter: Counter, *labels: str) -> Counter:
        # `labels()` takes a lock and rebuilds its key on each call: half the cost of counting.
        known = self._counted.get((counter._name, *labels))  # noqa: SLF001 - its only public name
        if known is None:
            known = self._counted[counter._name, *labels] = counter.labels(*labels)  # noqa: SLF001
        return known

    def _new_kind(self, endpoint: str, ending: Ending, sent: str, answered: str) -> _Kind:
        """Look up the series of one kind of exchange, once; as their records have these values."""
        # There may be many: a model's name may be anything that upstream says.
        if len(self._kinds) >= MOST_KINDS:
            self._kinds.clear()
        sent_model, answered_model = self._model_label(sent), self._model_label(answered)
        histograms = [self.duration.of(endpoint, ending.value)]
        if ending is not Ending.REFUSED:
            histograms += self.first_byte.of(endpoint, sent_model), self.silence.of(endpoint)
        tokens = []
        if answered_model != NONE:
            tokens = [self.tokens.of(each, answered_model) for each in TOKEN_KINDS]
        exchanges = self.exchanges.of(endpoint, ending.value, sent_model)
        kind = self._kinds[endpoint, ending, sent, answered] = _Kind(exchanges, histograms, tokens)
        return kind

    def _count_unusual(self, record: ExchangeRecord) -> None:
        """Count the error of an exchange, its class of small work, and its dropped parameters."""
        if record.ending in FAILED:
            code = record.code if record.code in CODES else OTHER
            self._child(self.errors, record.endpoint, str(record.status), code).inc()
        if record.small_work:
            self._child(self.small_work, record.small_work, record.small_work_outcome).inc()
        for name in record.dropped:
            self._child(self.dropped, counted_as(name)).inc()
