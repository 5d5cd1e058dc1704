"""An answer of the backend's other routes: one JSON body, passed on as it is."""

from typing import Any, NoReturn

import msgspec

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import EmptyAnswer, GatewayError, Malformed
from codex_proapi.gateway.formats.sse import KEEP_ALIVE
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
from codex_proapi.gateway.translation.stream.stream_translator import (
    ResponseReport,
    StreamTranslator,
)
from codex_proapi.gateway.translation.stream.token_usage import tokens_of


class UnaryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer must have."""

    listed: str = ""
    """Field that must be a list with entries; empty for none."""


class UnaryAnswer:
    """One answer on its way to a client."""

    keep_alive = KEEP_ALIVE

    def __init__(self, options: UnaryOptions) -> None:
        self.report = ResponseReport()
        self._listed = options.listed
        self._body = b""

    def __repr__(self) -> str:
        return f"<UnaryAnswer of {len(self._body)} bytes>"

    @property
    def done(self) -> bool:
        """Whether the body has come; the transport gives it in one piece."""
        return bool(self._body)

    def feed(self, data: bytes) -> bytes:
        """Take the body; returns b"". Raises Malformed, or EmptyAnswer where entries are missing."""
        try:
            fields: dict[str, Any] = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._fail("upstream_malformed")
            raise Malformed("The backend's answer is no JSON object.") from None
        self.report.tokens = tokens_of(data)
        if self._listed and bytes(fields.get(self._listed, b"")).strip()[:1] != b"[":
            self._fail("upstream_malformed")
            raise Malformed(f"The backend's answer has no '{self._listed}'.")
        if self._listed and bytes(fields[self._listed]).translate(None, b" \r\n\t") == b"[]":
            self._fail("upstream_empty_answer")
            raise EmptyAnswer("The backend's answer was empty.")
        self._body = data
        self.report.ending = Ending.WHOLE
        return b""

    def finish(self) -> bytes:
        """The body, as it came."""
        return self._body

    def fail(self, error: GatewayError) -> NoReturn:
        """There is no stream to write into: raises the error."""
        self._fail(error.code or "")
        raise error

    def _fail(self, code: str) -> None:
        self.report.ending, self.report.code = Ending.BROKEN, code


def unary_answer(
    translated: TranslatedRequest,
    *,
    request_id: str,  # noqa: ARG001 - the body has its own ids
    created: int,  # noqa: ARG001 - and times
    own_quota: bool = False,  # noqa: ARG001 - and no quotas
) -> StreamTranslator:
    """Return the translator of one answer."""
    if not isinstance(translated.answer, UnaryOptions):
        raise TypeError("not a request for one piece")
    return UnaryAnswer(translated.answer)
