"""Translates a client's body into an upstream request: the rules that all dialects share.

A dialect's `request` module makes one `RequestReader` and passes the field with the history and the
options of its translator. Any JSON gives a `TranslatedRequest` or raises BadRequest or UnknownModel
with the parameter's name; the argument is never changed.
"""

from collections.abc import Container, Mapping
from operator import itemgetter
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.errors import ModelNotFound
from codex_proapi.commons.codex.model_catalogue import Catalogue, Resolved
from codex_proapi.gateway.errors import BadRequest, UnknownModel
from codex_proapi.gateway.formats.client_body import ClientBody, ToolFields, decode_body
from codex_proapi.gateway.formats.codex.input_items import message, text_part
from codex_proapi.gateway.formats.codex.requests import (
    COMPACTION_TRIGGER,
    Item,
    Shape,
    UpstreamRequest,
)
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.request import parameters
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.finish import finished
from codex_proapi.gateway.translation.request.items import (
    REFERENCE,
    history_items,
    references_of,
)
from codex_proapi.gateway.translation.request.message_items import text_messages
from codex_proapi.gateway.translation.request.parts import joined_text, says_json
from codex_proapi.gateway.translation.request.translated_request import (
    Basis,
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.tools.remembered_tools import read_again
from codex_proapi.gateway.translation.tools.tool_choice import Choice, forces, read_choice
from codex_proapi.gateway.translation.tools.tool_names import ToolNames
from codex_proapi.gateway.translation.tools.tools import (
    NO_TOOLS,
    declared_names,
    read_tools,
    search_of_options,
    tools_inside,
)

ASK_FOR_JSON = "Answer with one JSON object."
"""Instruction added for `json_object` if no message contains the word JSON, as upstream requires."""
_MODEL_NAME_LENGTH = 128
DECODING_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What reading a body may raise for a part that was left undecoded; means `unreadable`."""
_kind_of_item: Final = itemgetter("type")
_TRIGGERS: Final = frozenset({COMPACTION_TRIGGER["type"]})


def unreadable() -> BadRequest:
    """The client's error for a body with a part that cannot be decoded."""
    return BadRequest("The body cannot be read", param="body")


class RequestReader:
    """Reads one body."""

    def __init__(
        self,
        body: bytes | Mapping[str, Any],
        *,
        catalogue: Catalogue,
        options: RequestOptions,
        client: ClientTraits,
    ) -> None:
        """Decode the body and resolve its model. Raises BadRequest or UnknownModel."""
        self.body: ClientBody = decode_body(body, read=parameters.READ)
        # What most bodies do not have is not looked for in them key by key.
        self._rare = parameters.RARE.intersection(self.body.values)
        self.options = options
        self.client = client
        model = self.body.values.get("model")
        if not isinstance(model, str):
            model = self.body.text("model")
        self.asked_model = model or options.default_model or ""
        try:
            self.resolved = catalogue.resolve(self.asked_model)
        except ModelNotFound as missing:
            self.resolved = _default(catalogue, options.default_model, missing)
        self.dropped = Dropped()
        self.names = ToolNames()
        self.tools = NO_TOOLS

    def history_field(self, *, own: str, other: str) -> str:
        """Return the name of the field with the history, where `own` is not filled: `other` if it is.

        Some clients post one API's body to the other's route (seen with Cursor).
        """
        values = self.body.values
        if other in values:
            return other
        if own in values or values.get("previous_response_id"):
            return own
        raise BadRequest(f"'{own}' is required", code="missing_required_parameter", param=own)

    def upstream_request(
        self, field: str, *, echoed: Container[str] = ()
    ) -> tuple[UpstreamRequest, list[Item]]:
        """Return the request without its `input`, and the items of its history.

        Args:
            field: The field with the history.
            echoed: Parameters that are not sent but repeated in the dialect's answer.
        """
        body, values, resolved, rare = self.body, self.body.values, self.resolved, self._rare
        if not rare.isdisjoint(parameters.IMPOSSIBLE):
            parameters.refuse_impossible(body)
        if values.get("include") or not parameters.HANDLED.issuperset(body.names):
            parameters.note_dropped(body, self.dropped, echoed=echoed)
        choice, items, text_only = self._read_conversation(field)
        needs_classic = self.tools.tools and self._needs_classic(choice)
        lite = resolved.model.use_responses_lite and not needs_classic
        request = UpstreamRequest(
            model=resolved.model.slug,
            shape=Shape.LITE if lite else Shape.CLASSIC,
            session_id="",
            input=(),
            instructions=body.text("instructions") or "" if "instructions" in values else "",
            tools=self.tools.tools,
            tool_choice=choice,
            parallel_tool_calls=(
                None if rare.isdisjoint(parameters.PARALLEL) else parameters.parallel_of(body)
            ),
            reasoning=parameters.reasoning_of(
                body,
                resolved,
                default_effort=self.options.default_effort,
                summary=self.options.reasoning_summary,
            ),
            text=(
                {}
                if rare.isdisjoint(parameters.TEXT)
                else parameters.text_of(body, resolved.model, self.dropped)
            ),
            service_tier=(
                parameters.tier_of(body, resolved, self.dropped)
                if resolved.fast or not rare.isdisjoint(parameters.TIER)
                else None
            ),
            prompt_cache_key=(
                body.text("prompt_cache_key") or "" if "prompt_cache_key" in values else ""
            ),
            text_only=text_only,
        )
        asks_json = request.text and request.text.get("format") == {"type": "json_object"}
        if asks_json and not says_json(items):
            items = [message("developer", [text_part(ASK_FOR_JSON)]), *items]
        return request, items

    def translated(
        self,
        request: UpstreamRequest,
        items: list[Item],
        *,
        field: str,
        answer: msgspec.Struct,
        verbatim: bool = False,
        store: bool = False,
        previous_response_id: str | None = None,
    ) -> TranslatedRequest:
        """Return request and history as one value; `expand` completes it if stored items are needed.

        `answer` has the options of the dialect's translator. Raises BadRequest for an empty history.
        """
        kinds = set(map(_kind_of_item, items))
        references = references_of(items) if REFERENCE in kinds else ()
        task = conversation = None
        if isinstance(notes := self.body.values.get("metadata"), dict):
            task, conversation = notes.get("task"), notes.get("cursorConversationId")
        lane = request.prompt_cache_key or self.client.session
        translated = TranslatedRequest(
            request=request,
            asked_model=self.asked_model[:_MODEL_NAME_LENGTH] or request.model,
            stream=self.body.values.get("stream") is True or self.body.flag("stream"),
            answer=answer,
            verbatim=verbatim,
            tool_names=self.names.restored,
            store=store,
            unresolved=previous_response_id is not None or bool(references),
            previous_response_id=previous_response_id,
            references=references,
            asks_faster=not self._rare.isdisjoint(parameters.TIER)
            and parameters.asks_faster(self.body),
            dropped=self.dropped.names,
            task=task if isinstance(task, str) else "",
            basis=Basis(
                key_id=self.options.key_id,
                history_mode=self.options.history_mode,
                verbatim=verbatim,
                lane=lane or (conversation if isinstance(conversation, str) else None),
                session=self.client.session,
            ),
        )
        if translated.unresolved:
            pending = msgspec.structs.replace(request, input=tuple(items))
            return msgspec.structs.replace(translated, request=pending)
        if kinds <= _TRIGGERS and all(item == COMPACTION_TRIGGER for item in items):
            raise BadRequest("There is nothing to answer", param=field)
        return finished(translated, items, kinds=kinds)

    def _read_conversation(self, field: str) -> tuple[Choice, list[Item], bool]:
        """Return the tool choice, the items of the history, and whether they are text alone."""
        body, values = self.body, self.body.values
        choice: Choice = "auto"
        entries = values.get(field, [])
        texts = text_messages(entries) if isinstance(entries, list) else [{}]
        others = not all(texts)
        if others or self._rare or body.tools or body.functions:
            choice = self._read_tools(entries if others else ())
        if not others and "system" not in values:
            return choice, texts, True
        # Behind the tools, whose names occur in calls.
        reading = TranslationContext(
            names=self.names,
            dropped=self.dropped,
            custom=self.tools.custom,
            audio="audio" in self.resolved.model.input_modalities,
        )
        system = joined_text(values["system"], "system") if "system" in values else ""
        items = history_items(entries, field, reading, texts=texts)
        if system:
            items = [message("developer", [text_part(system)]), *items]
        return choice, items, reading.text_only

    def _read_tools(self, entries: Any) -> Choice:
        """Read the tools, and those inside the entries, and their names; return the tool choice."""
        body, values, rare = self.body, self.body.values, self._rare
        inside = tools_inside(entries)
        search: tuple[ToolFields, ...] = ()
        if "web_search_options" in rare:
            search = search_of_options(values["web_search_options"])
        if body.tools_json and not inside and not search:
            read = read_again(body.tools_json)
            self.names, self.tools = read.names.copy(), read.tools
            for name in read.dropped:
                self.dropped.add(name)
        elif body.tools or body.functions or inside or search:
            functions = bool(body.functions) and not body.tools
            declared = (*inside, *(body.functions if functions else body.tools), *search)
            tools_field = "functions" if functions else "tools"
            self.names = ToolNames.of(declared_names(declared))
            self.tools = read_tools(declared, tools_field, names=self.names, dropped=self.dropped)
        if "tool_choice" not in rare and "function_call" not in rare:
            return "auto"
        choice_field = "tool_choice" if "tool_choice" in values else "function_call"
        return read_choice(
            values.get(choice_field), choice_field, offered=self.tools, names=self.names
        )

    def _needs_classic(self, choice: Choice) -> bool:
        """Whether the tools need what only the classic shape is known to have.

        That is a forced tool choice, web search, and parallel calls where a client wants them.
        Where the backend refuses it, the request is repeated in the lite shape (`policy`).
        """
        return (
            forces(choice)
            or (choice != "none" and self.tools.searches)
            or parameters.parallel_of(self.body) is True
        )


def _default(catalogue: Catalogue, default: str | None, missing: ModelNotFound) -> Resolved:
    """The key's default model, for a name that is missing. Raises UnknownModel."""
    try:
        if default is not None:
            return catalogue.resolve(default)
    except ModelNotFound as error:
        missing = error
    raise UnknownModel(str(missing)) from None
