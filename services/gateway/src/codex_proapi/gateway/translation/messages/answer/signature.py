"""The `signature` of a thinking block, which carries encrypted reasoning to the client and back.

Clients replay thinking blocks byte for byte, so nothing has to be stored. The format is
`cpa1:<account mark>:<encrypted content>[:<encrypted content>…]`, each part percent-encoded. Only
one account can decrypt the content; the mark identifies it without revealing its id. Signatures of
other products, of other versions or without content are ignored.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from codex_proapi.gateway.formats.codex.requests import account_mark

PREFIX: Final = "cpa1"
"""Name and version of the format."""
SIZE_LIMIT: Final = 8 * 1024 * 1024
"""Characters of the longest signature read or written."""
_SAFE: Final = "=/+"
_FEWEST_PARTS: Final = 3


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The decoded signature."""

    account: str
    """The mark of the account that can decrypt the contents; empty if it was unknown."""
    contents: tuple[str, ...]
    """Encrypted contents, in the order of their reasoning items."""


def sealed(account_id: str, contents: Iterable[str]) -> str:
    """Return the signature of these contents; empty without contents or beyond `SIZE_LIMIT`."""
    parts = [quote(content, safe=_SAFE) for content in contents if content]
    signature = ":".join((PREFIX, account_mark(account_id), *parts))
    return signature if parts and len(signature) <= SIZE_LIMIT else ""


def opened(signature: object) -> Envelope | None:
    """Decode a signature; None if it is not a complete one of ours and of this version."""
    if not isinstance(signature, str) or len(signature) > SIZE_LIMIT:
        return None
    parts = signature.split(":")
    if len(parts) < _FEWEST_PARTS or parts[0] != PREFIX or not all(parts[2:]):
        return None
    return Envelope(account=parts[1], contents=tuple(map(unquote, parts[2:])))
