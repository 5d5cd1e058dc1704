"""What a client asked becomes an upstream request: the one way in for every request body.

Total: any JSON gives a `Translated`, or raises BadRequest or UnknownModel with the culprit's name;
the argument is never changed. The rules themselves live beside: tools, messages, items, parameters.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from codex_proapi.commons.codex.model_catalogue import FAST_TIER, Catalogue, Resolved
from codex_proapi.gateway.errors import BadRequest, UnknownModel
from codex_proapi.gateway.formats.codex.requests import (
    COMPACTION_TRIGGER,
    Item,
    Shape,
    UpstreamRequest,
)
from codex_proapi.gateway.formats.openai.chat_request import ClientBody, decode_body
from codex_proapi.gateway.translation.history.history import finished
from codex_proapi.gateway.translation.history.stored_items import expand
from codex_proapi.gateway.translation.request import codex_client, parameters
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.dropped_parameters import Dropped
from codex_proapi.gateway.translation.request.items import history_items, references_of
from codex_proapi.gateway.translation.request.messages import message
from codex_proapi.gateway.translation.request.parts import joined_text, says_json, text_part
from codex_proapi.gateway.translation.request.translated_request import (
    AnswerForm,
    Basis,
    ClientTraits,
    Endpoint,
    HistoryMode,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.tools.tool_choice import forces, read_choice
from codex_proapi.gateway.translation.tools.tool_names import ToolNames
from codex_proapi.gateway.translation.tools.tools import (
    WEB_SEARCH,
    ToolSet,
    declared_names,
    read_tools,
    tools_inside,
)

__all__ = [
    "AnswerForm",
    "ClientTraits",
    "Endpoint",
    "HistoryMode",
    "RequestOptions",
    "TranslatedRequest",
    "expand",
    "to_upstream",
]

ASK_FOR_JSON = "Answer with one JSON object."
"""Said where a client wants an object without saying so: upstream wants to read the word."""
_MODEL_NAME_LENGTH = 128


def to_upstream(
    body: bytes | Mapping[str, Any],
    *,
    endpoint: Endpoint,
    catalogue: Catalogue,
    options: RequestOptions,
    client: ClientTraits,
) -> TranslatedRequest:
    """Give the upstream request a body means. Raises BadRequest or UnknownModel."""
    try:
        asked = _Asked(decode_body(body), endpoint, catalogue, options=options, client=client)
        return asked.from_codex() if asked.verbatim else asked.from_client()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRequest("The body cannot be read", param="body") from None


def _resolved(asked: str, catalogue: Catalogue, *, default: str | None) -> Resolved:
    """The model a client means; a name that we do not have means its key's default, if it has one."""
    try:
        return catalogue.resolve(asked)
    except UnknownModel:
        if default is None:
            raise
        return catalogue.resolve(default)


class _Asked:
    """One body under translation: what is common to Codex and everybody else."""

    def __init__(
        self,
        body: ClientBody,
        endpoint: Endpoint,
        catalogue: Catalogue,
        *,
        options: RequestOptions,
        client: ClientTraits,
    ) -> None:
        self.body = body
        self.endpoint = endpoint
        self.options = options
        self.client = client
        self.verbatim = client.is_codex and endpoint != "chat" and body.get("messages") is None
        self.asked_model = body.text("model") or options.default_model or ""
        self.resolved = _resolved(self.asked_model, catalogue, default=options.default_model)
        self.dropped = Dropped()

    def from_codex(self) -> TranslatedRequest:
        """Pass a Codex client's request on, all but untouched."""
        body = self.body
        codex_client.note_codex_dropped(body, self.dropped)
        items = codex_client.codex_items(body.get("input"))
        tier = FAST_TIER if self.resolved.fast else body.text("service_tier")
        lite = self.client.lite or codex_client.is_lite(items)
        request = UpstreamRequest(
            model=self.resolved.model.slug,
            shape=Shape.LITE if lite else Shape.CLASSIC,
            session_id="",
            input=(),
            instructions=body.text("instructions"),
            tools=codex_client.codex_tools(body.tools),
            tool_choice=codex_client.codex_choice(body),
            parallel_tool_calls=parameters.parallel_of(body),
            reasoning=codex_client.codex_reasoning(body, self.resolved),
            text=body.table("text"),
            service_tier=None if tier in ("auto", "default") else tier,
            prompt_cache_key=body.text("prompt_cache_key") or "",
            client_metadata=codex_client.codex_metadata(body),
        )
        if not self.resolved.model.use_responses_lite:
            request, items = _in_classic(request, items)
        return self._translated(request, items, field="input")

    def from_client(self) -> TranslatedRequest:
        """Translate anybody else's request."""
        body = self.body
        parameters.refuse_impossible(body)
        parameters.note_dropped(body, self.dropped)
        field = self._history_field()
        declared, tools_field = self._declared(field)
        names = ToolNames(declared_names(declared))
        offered = read_tools(declared, tools_field, names=names, dropped=self.dropped)
        choice_field = "tool_choice" if body.get("tool_choice") is not None else "function_call"
        choice = read_choice(body.get(choice_field), choice_field, offered=offered, names=names)
        items = self._history(field, offered, names)
        request = UpstreamRequest(
            model=self.resolved.model.slug,
            shape=self._shape(offered, choice),
            session_id="",
            input=(),
            instructions=body.text("instructions") or "",
            tools=offered.tools,
            tool_choice=choice,
            parallel_tool_calls=parameters.parallel_of(body),
            reasoning=parameters.reasoning_of(
                body,
                self.resolved,
                default_effort=self.options.default_effort,
                summary=self.options.reasoning_summary,
            ),
            text=parameters.text_of(body, self.resolved.model, self.dropped),
            service_tier=parameters.tier_of(body, self.resolved, self.dropped),
            prompt_cache_key=body.text("prompt_cache_key") or "",
        )
        if request.text.get("format") == {"type": "json_object"} and not says_json(items):
            items = [message("developer", [text_part(ASK_FOR_JSON)]), *items]
        translated = self._translated(request, items, field=field)
        return self._for_chat(translated, offered, names, field)

    def _history_field(self) -> str:
        """Tell the body's shape: the route's own field first, but a filled one of the other's."""
        own, other = ("messages", "input") if self.endpoint == "chat" else ("input", "messages")
        if self.body.get(own):
            return own
        if self.body.get(other) is not None:
            return other
        if self.body.get(own) is not None or self.body.get("previous_response_id"):
            return own
        raise BadRequest(f"'{own}' is required", code="missing_required_parameter", param=own)

    def _declared(self, field: str) -> tuple[tuple[dict[str, msgspec.Raw], ...], str]:
        body = self.body
        inside = tools_inside(body.get(field))
        if body.functions and not body.tools:
            return (*inside, *body.functions), "functions"
        return (*inside, *body.tools), "tools"

    def _history(self, field: str, offered: ToolSet, names: ToolNames) -> list[Item]:
        reading = TranslationContext(
            names=names,
            dropped=self.dropped,
            custom=offered.custom,
            audio="audio" in self.resolved.model.input_modalities,
        )
        items: list[Item] = []
        if system := joined_text(self.body.get("system"), "system"):
            items.append(message("developer", [text_part(system)]))
        entries = self.body.get(field)
        items.extend(history_items([] if entries is None else entries, field, reading))
        return items

    def _shape(self, offered: ToolSet, choice: str | dict[str, Any]) -> Shape:
        """Choose by the catalogue; only the classic shape is known to take a forced choice."""
        if not self.resolved.model.use_responses_lite or forces(choice):
            return Shape.CLASSIC
        if any(tool.type == WEB_SEARCH for tool in offered.tools):
            self.dropped.add(f"tools.{WEB_SEARCH}")
        return Shape.LITE

    def _translated(
        self, request: UpstreamRequest, items: list[Item], *, field: str
    ) -> TranslatedRequest:
        """Give what both kinds have in common, its history finished unless parts are missing."""
        body = self.body
        if self.endpoint == "compact" and (not items or items[-1] != COMPACTION_TRIGGER):
            items = [*items, COMPACTION_TRIGGER]
        previous, references = self._previous(), references_of(items)
        translated = TranslatedRequest(
            request=request,
            asked_model=self.asked_model[:_MODEL_NAME_LENGTH] or request.model,
            stream=body.flag("stream"),
            answer_form="chat" if self.endpoint == "chat" else "responses",
            verbatim=self.verbatim,
            store=self.endpoint == "responses" and body.get("store") is not False,
            metadata=self._metadata(),
            unresolved=previous is not None or bool(references),
            previous_response_id=previous,
            references=references,
            dropped=self.dropped.names,
            basis=self._basis(),
        )
        if translated.unresolved:
            pending = msgspec.structs.replace(request, input=tuple(items))
            return msgspec.structs.replace(translated, request=pending)
        if not any(item != COMPACTION_TRIGGER for item in items):
            raise BadRequest("There is nothing to answer", param=field)
        return finished(translated, items)

    def _for_chat(
        self, translated: TranslatedRequest, offered: ToolSet, names: ToolNames, field: str
    ) -> TranslatedRequest:
        """Add what the way back to a client that is not Codex needs."""
        chat = translated.answer_form == "chat"
        form = translated.request.text.get("format", {})
        return msgspec.structs.replace(
            translated,
            tool_names=names.restored,
            include_usage=chat and (field == "input" or parameters.wants_usage(self.body)),
            custom_tools=offered.chat_custom if chat else frozenset(),
            legacy_functions=bool(self.body.functions) and not self.body.tools,
            refusal_as_refusal=chat and form.get("type") == "json_schema",
            stop=parameters.stops_of(self.body),
        )

    def _previous(self) -> str | None:
        """Give the response to continue; chat has none, its clients send the history anyway."""
        previous = self.body.text("previous_response_id")
        if previous and self.endpoint == "chat":
            self.dropped.add("previous_response_id")
            return None
        return previous or None

    def _metadata(self) -> dict[str, Any]:
        metadata = self.body.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    def _basis(self) -> Basis:
        cursor = self._metadata().get("cursorConversationId")
        lane = self.body.text("prompt_cache_key") or self.client.session
        return Basis(
            key_id=self.options.key_id,
            history_mode=self.options.history_mode,
            verbatim=self.verbatim,
            lane=lane or (cursor if isinstance(cursor, str) else None),
            session=self.client.session,
        )


def _in_classic(request: UpstreamRequest, items: list[Item]) -> tuple[UpstreamRequest, list[Item]]:
    """Turn a lite request for a model that has no lite shape (we renamed it) into a classic one."""
    classic = msgspec.structs.replace(request, input=tuple(items)).in_shape(Shape.CLASSIC)
    return msgspec.structs.replace(classic, input=()), list(classic.input)
