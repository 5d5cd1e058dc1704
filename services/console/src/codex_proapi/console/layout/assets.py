"""Stylesheets, scripts and images of the console: read once, hashed, compressed, kept in memory.

Their URL has the digest of them all, so browsers may cache them for ever and see an upgrade at
once. There is no build step: the files in `static/` are sent as they are.
"""

import functools
import gzip
import hashlib
import importlib.resources
from importlib.resources.abc import Traversable

import msgspec

from codex_proapi.console.texts.catalogue import texts_of
from codex_proapi.console.texts.language import Language

TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "png": "image/png",
    "txt": "text/plain",
}
"""What is served, by the end of its name; anything else is not. Litestar adds the charset."""
COMPRESSIBLE = 600
"""Bytes below which compressing is not worth a header."""


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One file, ready to be sent."""

    content: bytes
    compressed: bytes | None
    """The same in gzip; None where that saves nothing."""
    content_type: str
    etag: str

    @classmethod
    def of(cls, name: str, content: bytes) -> "Asset":
        """Make it ready; its name says the type."""
        small = gzip.compress(content, 9, mtime=0) if len(content) > COMPRESSIBLE else content
        return cls(
            content=content,
            compressed=small if len(small) < len(content) else None,
            content_type=TYPES[name.rpartition(".")[2]],
            etag=hashlib.sha256(content).hexdigest()[:16],
        )


class Assets:
    """All files of `static/`, by their path inside it."""

    def __init__(self, folder: Traversable, *, beside: bytes = b"") -> None:
        self._assets = {name: Asset.of(name, file.read_bytes()) for name, file in _walk(folder, "")}
        digest = hashlib.sha256(beside)
        for name in sorted(self._assets):
            digest.update(f"{name} {self._assets[name].etag}\n".encode())
        self.build = digest.hexdigest()[:12]
        """Digest of them all, and of what is sent beside them; part of every address."""

    def __repr__(self) -> str:
        return f"<Assets {self.build}, {len(self._assets)} files>"

    def get(self, name: str) -> Asset | None:
        """The file of this path, or None."""
        return self._assets.get(name)

    def url(self, name: str) -> str:
        """The URL of a file; one that does not exist is a fault of the template."""
        if name not in self._assets:
            raise KeyError(name)
        return f"/static/{self.build}/{name}"

    def scripts(self) -> list[str]:
        """The scripts every page loads, for the browser to fetch at once."""
        return sorted(name for name in self._assets if name.rpartition("/")[0] in ("js", "js/ui"))


@functools.cache
def assets() -> Assets:
    """The assets of this process; the scripts' words count too, as their address is the same."""
    words = b"".join(texts_of(language).script() for language in Language)
    return Assets(
        importlib.resources.files("codex_proapi.console").joinpath("static"), beside=words
    )


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in TYPES:
            found.append((f"{prefix}{entry.name}", entry))
    return found
