"""Translates a Messages body into an upstream request; the entry point of this package.

Any JSON gives a `TranslatedRequest`, or raises BadRequest or UnknownModel with the parameter's name;
the argument is never changed.
"""

from collections.abc import Mapping
from typing import Any, Final

from codex_proapi.commons.codex.model_catalogue import Catalogue, Resolved
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.anthropic.request import (
    message_list,
    safeguard_types,
    session_of,
    stop_sequences,
)
from codex_proapi.gateway.formats.client_body import ClientBody, decode_body
from codex_proapi.gateway.formats.codex.requests import Shape, UpstreamRequest
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.request import parameters
from codex_proapi.gateway.translation.messages.request.history import History, HistoryReader
from codex_proapi.gateway.translation.messages.request.model_families import resolve_model
from codex_proapi.gateway.translation.messages.request.token_count import count_tokens
from codex_proapi.gateway.translation.messages.request.tool_search import (
    NO_CHANGES,
    ToolChanges,
    changes_in,
)
from codex_proapi.gateway.translation.messages.request.tools import OfferedTools, read_offered
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.finish import finished
from codex_proapi.gateway.translation.request.message_items import text_messages
from codex_proapi.gateway.translation.request.request_reader import DECODING_ERRORS, unreadable
from codex_proapi.gateway.translation.request.translated_request import (
    Basis,
    ClientTraits,
    HistoryMode,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.tools.tool_choice import forces

AUXILIARY: Final = "auxiliary"
COMPACTION: Final = "compaction"
"""Values of the header in which Claude Code states a request's purpose."""
_MODEL_NAME_LENGTH: Final = 128


def read_messages_request(
    body: bytes | Mapping[str, Any],
    *,
    catalogue: Catalogue,
    options: RequestOptions,
    client: ClientTraits,
) -> TranslatedRequest:
    """Translate a Messages body. Raises BadRequest or UnknownModel."""
    try:
        return _MessagesReader(decode_body(body), catalogue, options, client=client).translated()
    except DECODING_ERRORS:
        raise unreadable() from None


class _MessagesReader:
    """Reads one body."""

    def __init__(
        self,
        body: ClientBody,
        catalogue: Catalogue,
        options: RequestOptions,
        *,
        client: ClientTraits,
    ) -> None:
        self._body = body
        self._options = options
        self._client = client
        self._messages = message_list(body)
        self._texts = text_messages(self._messages)
        self._asked_model = body.text("model") or options.default_model or ""
        self._resolved: Resolved = resolve_model(
            self._asked_model, catalogue, default=options.default_model
        )
        self._dropped = Dropped()
        # The fields that many bodies do not have are not looked for in them one by one.
        self._plain = parameters.PLAIN.issuperset(body.values)
        summary = client.request_class == COMPACTION or parameters.asks_for_summary(self._messages)
        self._compacts = summary
        self._brief = summary or client.request_class == AUXILIARY

    def translated(self) -> TranslatedRequest:
        """Return the translation."""
        body, dropped = self._body, self._dropped
        if not self._plain:
            parameters.note_dropped(body, dropped)
        instructions, billed = parameters.instructions_of(body)
        plain = all(self._texts)
        changes = NO_CHANGES if plain else changes_in(self._messages)
        offered = read_offered(body, changes, dropped, silent=self._compacts)
        history = History(items=self._texts) if plain else self._history(offered, changes)
        if not history.items:
            raise BadRequest("There is nothing to answer", param="messages")
        thinking = parameters.NO_THINKING if self._plain else parameters.read_thinking(body)
        request = self._request(instructions, offered, history, thinking)
        answer = MessagesOptions(
            input_tokens=count_tokens(body, tools_size=offered.size),
            tool_shapes=offered.shapes,
            thinking=thinking.wanted,
            summaries=thinking.summaries,
            structured="format" in request.text,
            stop=() if self._plain else stop_sequences(body),
            safeguards=() if self._plain else safeguard_types(body),
            claude_code=billed or self._client.is_claude_code,
        )
        translated = TranslatedRequest(
            request=request,
            asked_model=self._asked_model[:_MODEL_NAME_LENGTH] or request.model,
            stream=body.values.get("stream") is True or body.flag("stream"),
            answer=answer,
            tool_names=offered.names.restored,
            asks_faster=body.values.get("speed") == "fast",
            dropped=dropped.names,
            basis=self._basis(),
        )
        return finished(translated, history.items)

    def _history(self, offered: OfferedTools, changes: ToolChanges) -> History:
        """Return the conversation; it has more than text."""
        reading = TranslationContext(names=offered.names, dropped=self._dropped)
        known = offered.declared - changes.removed
        return HistoryReader(reading, known).read(self._messages, self._texts)

    def _request(
        self,
        instructions: str,
        offered: OfferedTools,
        history: History,
        thinking: parameters.Thinking,
    ) -> UpstreamRequest:
        """Return the request without its `input`."""
        body, resolved, plain = self._body, self._resolved, self._plain
        return UpstreamRequest(
            model=resolved.model.slug,
            shape=(
                Shape.LITE
                if resolved.model.use_responses_lite
                and not (offered.tools.tools and _needs_classic(offered))
                else Shape.CLASSIC
            ),
            session_id="",
            input=(),
            instructions=instructions,
            tools=offered.tools.tools,
            tool_choice=offered.choice,
            parallel_tool_calls=None if plain else parameters.parallel_of(body),
            reasoning=parameters.reasoning_of(
                body,
                resolved,
                thinking,
                default=self._options.default_effort,
                brief=self._brief,
            ),
            text={} if plain else parameters.text_of(body),
            service_tier=(
                parameters.tier_of(body, resolved, self._dropped)
                if resolved.fast or not plain
                else None
            ),
            encrypted_for=history.encrypted_for,
            text_only=history.text_only,
            tool_search=(
                history.search if offered.loads_tools and self._searches_natively(offered) else None
            ),
        )

    def _searches_natively(self, offered: OfferedTools) -> bool:
        """Whether the client's tool search is sent in the native form, which keeps the prefix cached."""
        structured = self._options.history_mode is HistoryMode.STRUCTURED
        able = self._resolved.model.supports_search_tool and structured
        return able and not isinstance(offered.choice, dict)

    def _basis(self) -> Basis:
        """Name the conversation: Claude Code's session, and the sub-agent's own within it."""
        session = self._client.session
        if not session and "metadata" in self._body.values:
            session = session_of(self._body)
        agent = self._client.agent
        return Basis(
            key_id=self._options.key_id,
            history_mode=self._options.history_mode,
            verbatim=False,
            lane=f"{session} {agent}" if session and agent else session,
            session=None,
        )


def _needs_classic(offered: OfferedTools) -> bool:
    """Whether the tools need the classic shape: for a forced tool choice or a search.

    If the backend refuses it, the request is repeated in the lite shape (`policy`).
    """
    return forces(offered.choice) or (offered.choice != "none" and offered.tools.searches)
