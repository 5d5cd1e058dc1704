"""How long upstream, and the gateway, have said nothing: for keep-alives, silence and metrics."""

from bisect import bisect_left
from collections.abc import Callable

import msgspec

from codex_proapi.gateway.metrics.histograms import LabelledHistogram


class StreamTimes(msgspec.Struct, eq=False):
    """The times of one answer under way."""

    gaps: LabelledHistogram
    """Seconds between two reads from upstream."""
    clock: Callable[[], float]
    """Monotonic seconds."""
    received_at: float = 0.0
    """When upstream last sent something, or reading began."""
    idle: int = 0
    """Whole seconds since the last read from upstream."""
    silent: int = 0
    """Whole seconds since the last write to the client."""

    def __repr__(self) -> str:
        return f"<StreamTimes idle {self.idle} s, silent {self.silent} s>"

    def begin(self) -> None:
        """Reading begins, or begins again: the time before is nobody's gap."""
        self.received_at = self.clock()

    def received(self) -> None:
        """Upstream has sent something."""
        self.idle = 0
        now, gaps = self.clock(), self.gaps
        gap = now - self.received_at
        self.received_at = now
        # `LabelledHistogram.note`, in place: this runs for every read of every stream.
        gaps.counts[bisect_left(gaps.bounds, gap)] += 1
        gaps.total += gap

    def wait_for_client(self) -> None:
        """The client reads slowly, so upstream is not read: its silence does not count."""
        self.idle = self.silent = 0
        self.begin()

    def tick(self) -> None:
        """Count a second."""
        self.idle += 1
        self.silent += 1
