"""What the head of a request says of its client: the same for every request with the same head."""

from collections.abc import Mapping
from typing import Final

import msgspec

from codex_proapi.gateway.auth.caller import Caller
from codex_proapi.gateway.translation.request.translated_request import ClientTraits, read_headers


class ClientHead(msgspec.Struct, frozen=True):
    """A request's head, read."""

    caller: Caller = Caller()
    """Who is authenticated."""
    headers: Mapping[str, str] = {}
    """Those that are read after that, as text, by lower-case name."""
    traits: ClientTraits = ClientTraits()
    """What these reveal of the client."""
    packed: bool = False
    """Whether the body is compressed."""

    @classmethod
    def of(cls, headers: Mapping[bytes, bytes]) -> "ClientHead":
        """Read the headers of a request, by lower-case name."""
        texts = read_headers(headers)
        return cls(
            Caller.of(headers), texts, ClientTraits.of(texts), b"content-encoding" in headers
        )

    def with_headers(self, more: Mapping[str, str]) -> "ClientHead":
        """The head of one of several requests on a connection, which has headers of its own."""
        headers = {**self.headers, **more}
        return ClientHead(self.caller, headers, ClientTraits.of(headers), self.packed)


NO_HEAD: Final = ClientHead()
