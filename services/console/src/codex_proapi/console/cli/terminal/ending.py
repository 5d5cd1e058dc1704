"""Ends a command by a signal: what it began is ended with it, also an embedded store."""

import signal
from types import FrameType

AFTER_SIGNAL = 128
"""What a shell adds to the number of a signal that ended a command."""


class Ending:
    """Has SIGTERM and SIGHUP end a command as Ctrl-C does, and remembers which it was.

    A signal that is ignored, as under `nohup`, goes on being ignored.
    """

    def __init__(self) -> None:
        self._signal = signal.SIGINT
        for each in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(each) is signal.SIG_DFL:
                signal.signal(each, self._end)

    def __repr__(self) -> str:
        return f"<Ending by {self._signal.name}>"

    @property
    def code(self) -> int:
        """The exit code of a command that was interrupted."""
        return AFTER_SIGNAL + self._signal

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Do what Ctrl-C would do now: an event loop has a handler of its own meanwhile."""
        self._signal = signal.Signals(number)
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):  # it is ignored, as in a job that a shell began with `&`
            raise KeyboardInterrupt
        handler(signal.SIGINT, frame)
