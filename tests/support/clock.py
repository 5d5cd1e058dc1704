"""A clock that moves when told."""


class Clock:
    """Seconds since the epoch, as a test wants them."""

    def __init__(self, now: float = 1_795_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds
