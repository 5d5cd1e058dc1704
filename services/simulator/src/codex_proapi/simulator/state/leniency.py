"""Which of the backend's rules the simulator relaxes."""

import msgspec


class Leniency(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that are relaxed because the real backend's are unknown, or for a test."""

    classic_on_lite: bool = True
    """Whether lite models accept the classic shape."""
    foreign_seals: bool = False
    """Whether encrypted items of other origin are accepted."""


STRICT = Leniency()
