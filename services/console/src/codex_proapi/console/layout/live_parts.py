"""What of a page's live regions has changed since a script saw them last. Pure.

A region is an element with `data-live`; its rows are `<tr>` and `<li>` with an id that begins with
`row-`. Regions are not within each other, rows neither. The script tells the digests of what it shows.
"""

import base64
import hashlib
import re
from collections.abc import Collection
from typing import Final, NamedTuple

_REGION: Final = re.compile(r'<([a-z]+)\b[^>]*\bdata-live="')
_ROW: Final = re.compile(r'<(tr|li)\b[^>]*?\b(id="row-[^"]*")[^>]*>.*?</\1>', re.DOTALL)
DIGEST_BYTES: Final = 6
MOST_DIGESTS: Final = 500
"""Of those that a script tells; a page has one for each row and region."""


class Changes(NamedTuple):
    """What a script has to be sent."""

    html: str
    """The regions that have changed; a row that has not is an empty element with `data-same`."""
    digests: tuple[str, ...]
    """Of all that the page then shows."""


def digests_in(header: str) -> frozenset[str]:
    """The digests a script tells."""
    return frozenset(header.split(" ", MOST_DIGESTS)[:MOST_DIGESTS])


def changes_of(html: str, seen: Collection[str]) -> Changes:
    """What of these regions differs from what has been seen.

    Args:
        html: All live regions of a page, and what stands between them.
        seen: Digests of what is shown already.
    """
    changed: list[str] = []
    digests: list[str] = []
    for begin in _REGION.finditer(html):
        region = html[begin.start() : _end_of(html, begin)]
        frame = _digest(_ROW.sub(_same, region))
        rows = [_digest(found[0]) for found in _ROW.finditer(region)]
        digests += [frame, *rows]
        if frame not in seen or any(row not in seen for row in rows):
            changed.append(
                _ROW.sub(lambda row: _same(row) if _digest(row[0]) in seen else row[0], region)
            )
    return Changes("".join(changed), tuple(digests))


def with_digests(page: str) -> str:
    """A whole page that tells its script what it shows, for the first refresh in place."""
    told = " ".join(changes_of(page, ()).digests)
    return page.replace("</head>", f'<meta name="live" content="{told}">\n</head>', 1)


def _end_of(html: str, begin: re.Match[str]) -> int:
    """Where the element ends that begins here."""
    depth = 0
    for tag in re.compile(rf"<(/?){begin[1]}\b[^>]*>").finditer(html, begin.start()):
        depth += -1 if tag[1] else 1
        if not depth:
            return tag.end()
    return len(html)


def _same(row: re.Match[str]) -> str:
    return f"<{row[1]} {row[2]} data-same></{row[1]}>"


def _digest(part: str) -> str:
    made = hashlib.blake2b(part.encode(), digest_size=DIGEST_BYTES).digest()
    return base64.urlsafe_b64encode(made).decode()
