"""How long upstream, and the gateway, have said nothing: for keep-alives, silence and metrics."""

from bisect import bisect_left
from collections.abc import Callable

from codex_proapi.gateway.metrics.histograms import LabelledHistogram


class StreamTimes:
    """The times of one answer under way.

    Args:
        gaps: histogram of the seconds between two reads from upstream.
        clock: monotonic seconds.
    """

    __slots__ = ("_clock", "_gaps", "_received_at", "idle", "silent")

    def __init__(self, gaps: LabelledHistogram, clock: Callable[[], float]) -> None:
        self._gaps = gaps
        self._clock = clock
        self._received_at = 0.0
        self.idle = 0
        """Whole seconds since the last read from upstream."""
        self.silent = 0
        """Whole seconds since the last write to the client."""

    def __repr__(self) -> str:
        return f"<StreamTimes idle {self.idle} s, silent {self.silent} s>"

    def begin(self) -> None:
        """Reading begins, or begins again: the time before is nobody's gap."""
        self._received_at = self._clock()

    def received(self) -> None:
        """Upstream has sent something."""
        self.idle = 0
        now, gaps = self._clock(), self._gaps
        gap = now - self._received_at
        self._received_at = now
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
