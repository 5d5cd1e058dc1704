"""The record of what arrived at the simulator and how it ended, for tests to read."""

import dataclasses
from typing import Any


@dataclasses.dataclass
class ReceivedRequest:
    """One request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: Any = None
    """Decoded JSON or form; None when there was none."""
    encoding: str = ""
    """Content coding the body came in."""
    at: float = 0.0
    """When, by the simulator's clock."""
    connection: int = 0
    """Names the connection it came over, as long as that is open."""
    account: str = ""
    """Name of the account whose token it carried."""
    status: int = 0
    """What it was answered; 0 while it runs and after a dropped connection."""
    code: str = ""
    """Code of the refusal or in-stream failure it got."""
    ending: str = ""
    """`whole`, `refused`, `failed`, `cut`, `dropped` or `client_left`; empty while it runs."""
    ended_at: float = 0.0
    """When it ended."""
    bytes_sent: int = 0
    """How much of a stream was written."""

    def end(self, ending: str, at: float) -> None:
        """Note how it ended; the first word stands."""
        if not self.ending:
            self.ending, self.ended_at = ending, at


@dataclasses.dataclass(frozen=True)
class TokenCall:
    """One call of the token endpoint."""

    grant_type: str
    """`authorization_code`, `refresh_token`, …"""
    account: str
    """Name of the account, if the code or token was known."""
    reason: str
    """`refresh_reason`, if it was sent."""
    status: int
    """What it was answered; 0: the connection was dropped."""
    code: str
    """Error code, empty on success."""
    at: float
    """When it arrived, by the simulator's clock."""
