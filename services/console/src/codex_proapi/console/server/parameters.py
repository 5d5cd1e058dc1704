"""Parameters shared by several routes, with their limits."""

import re
from typing import Annotated, TypeAlias

from litestar.params import PathParameter, QueryParameter

STREAM_ID = r"^([0-9]{1,19}(-[0-9]{1,19})?)?$"
"""A place in a Redis stream; empty is the newest."""

Before: TypeAlias = Annotated[str, QueryParameter(pattern=STREAM_ID)]
"""Only what is older than this stream id."""

StreamPosition: TypeAlias = Annotated[str, QueryParameter(pattern=STREAM_ID)]
"""Only what is newer than this stream id; empty is from now on."""

Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=500)]
"""How many at most."""

Id: TypeAlias = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
"""One of our ids."""

Word: TypeAlias = Annotated[str, QueryParameter(max_length=200)]
"""A search term or id; empty is any."""


def is_position(text: str) -> bool:
    """Whether a text is a valid stream id."""
    return bool(text) and re.fullmatch(STREAM_ID, text) is not None
