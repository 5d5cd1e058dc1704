"""Stop sequences: upstream does not support them, so the text is cut here."""


class StopCutter:
    """Cuts one streamed text at the first of its stop strings.

    Only what may be the beginning of a stop string is held back.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.found = False
        """Whether a stop string was met; nothing passes after it."""
        self.met: str | None = None
        """The stop string that was met."""

    def __repr__(self) -> str:
        return f"<StopCutter {'found' if self.found else 'open'}>"

    def feed(self, text: str) -> str:
        """Take text; give the part that may be sent."""
        if self.found:
            return ""
        text = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            # The one that is complete first counts, as if the text came letter by letter.
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
        """The length of the longest end of the text that a stop string begins with."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
