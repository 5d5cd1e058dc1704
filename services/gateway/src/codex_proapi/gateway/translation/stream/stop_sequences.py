"""Stop sequences, which upstream does not support: cuts the text of an answer."""


class StopCutter:
    """Cuts one streamed text at the first stop sequence that occurs.

    Only text that may be the beginning of a stop sequence is held back.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
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
        text = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            # The sequence that is complete first counts, as if characters came one by one.
            end, start = min(found)
            self.found, self.met, self._held = True, text[start:end], ""
            return text[:start]
        keep = self._suspicious(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return the text held back, at the end of the text."""
        text, self._held = self._held, ""
        return text

    def _suspicious(self, text: str) -> int:
        """The length of the longest suffix of the text that is a prefix of a stop sequence."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
