"""Stop sequences, which upstream does not support: cuts the text of an answer."""


class StopCutter:
    """Cuts one streamed text at the first stop sequence that occurs.

    Only text that may be the beginning of a stop sequence is held back.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._beginnings = [_Beginning(stop) for stop in self._stops]
        self._held = ""
        self.found = False
        """Whether a stop sequence occurred; no text is returned after it."""
        self.met: str | None = None
        """The stop sequence that occurred."""

    def __repr__(self) -> str:
        return f"<StopCutter {'found' if self.found else 'open'}>"

    def feed(self, text: str) -> str:
        """Add text; return the part that can be sent."""
        if self.found:
            return ""
        added, text = text, self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            # The sequence that is complete first counts, as if characters came one by one.
            end, start = min(found)
            self.found, self.met, self._held = True, text[start:end], ""
            return text[:start]
        keep = self._suspicious(added)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return the text held back, at the end of the text."""
        text, self._held = self._held, ""
        self._beginnings = [_Beginning(stop) for stop in self._stops]
        return text

    def _suspicious(self, text: str) -> int:
        """The length of the longest suffix of all text that is a prefix of a stop sequence."""
        return max((beginning.feed(text) for beginning in self._beginnings), default=0)


class _Beginning:
    """How much of one stop sequence the text so far ends with (Knuth, Morris, Pratt).

    Each character is looked at once: neither a long sequence nor a text that repeats its beginning
    makes the next delta cost more.
    """

    def __init__(self, stop: str) -> None:
        self._stop = stop
        self._shorter = _shorter(stop)
        self._length = 0

    def __repr__(self) -> str:
        return f"<_Beginning of {self._length} characters>"

    def feed(self, text: str) -> int:
        """Add text in which the sequence does not end; gives the length of the beginning it ends with."""
        stop, shorter, length = self._stop, self._shorter, self._length
        if not length and stop[0] not in text:
            return 0
        if len(text) >= len(stop):
            length, text = 0, text[len(text) - len(stop) + 1 :]
        for character in text:
            while length and stop[length] != character:
                length = shorter[length - 1]
            if stop[length] == character:
                length += 1
        self._length = length
        return length


def _shorter(stop: str) -> list[int]:
    """For each beginning of a text the longest shorter one with which it ends."""
    found = [0] * len(stop)
    length = 0
    for at in range(1, len(stop)):
        while length and stop[at] != stop[length]:
            length = found[length - 1]
        if stop[at] == stop[length]:
            length += 1
        found[at] = length
    return found
