"""The `signature` of a thinking block: where encrypted reasoning travels to the client and back.

Clients replay thinking blocks byte for byte, so nothing has to be kept here. The form is
`cpa1:<account mark>:<encrypted content>[:<encrypted content>…]`, each part percent-encoded. Only
one account can decrypt the content; the mark tells which, without naming it. Signatures of other
makers, of other versions or without content are none.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from codex_proapi.gateway.formats.codex.requests import account_mark

PREFIX: Final = "cpa1"
"""Name and version of the form."""
SIZE_LIMIT: Final = 8 * 1024 * 1024
"""Characters of the longest signature read or written."""
_SAFE: Final = "=/+"
_FEWEST_PARTS: Final = 3


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature of ours holds."""

    account: str
    """The mark of the account that can decrypt the contents; empty where nobody knew it."""
    contents: tuple[str, ...]
    """Encrypted contents, in the order of their reasoning items."""


def sealed(account_id: str, contents: Iterable[str]) -> str:
    """Return the signature for these contents; empty where it would be over the limit or hold none."""
    parts = [quote(content, safe=_SAFE) for content in contents if content]
    signature = ":".join((PREFIX, account_mark(account_id), *parts))
    return signature if parts and len(signature) <= SIZE_LIMIT else ""


def opened(signature: object) -> Envelope | None:
    """Return what a signature holds; None for any that is not ours, whole and of this version."""
    if not isinstance(signature, str) or len(signature) > SIZE_LIMIT:
        return None
    parts = signature.split(":")
    if len(parts) < _FEWEST_PARTS or parts[0] != PREFIX or not all(parts[2:]):
        return None
    return Envelope(account=parts[1], contents=tuple(map(unquote, parts[2:])))
