"""Which of the backend's rules the simulator relaxes."""

import msgspec


class Leniency(msgspec.Struct, frozen=True, kw_only=True):
    """Where the real backend's rules are not settled, or a test must look past one."""

    classic_on_lite: bool = True
    """Whether lite models accept the classic shape."""
    foreign_seals: bool = False
    """Whether encrypted items nobody here has made are accepted."""


STRICT = Leniency()
