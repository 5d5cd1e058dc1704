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
from codex_proapi.gateway.formats.client_body import ClientBody, decode_body
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
from codex_proapi.gateway.translation.request.parts import joined_text, says_json
from codex_proapi.gateway.translation.request.translated_request import (
    Basis,
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.tools.remembered_tools import read_again
from codex_proapi.gateway.translation.tools.tool_choice import forces, read_choice
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
        self.options = options
        self.client = client
        self.asked_model = self.body.text("model") or options.default_model or ""
        try:
            self.resolved = catalogue.resolve(self.asked_model)
        except ModelNotFound as missing:
            self.resolved = _default(catalogue, options.default_model, missing)
        self.dropped = Dropped()
        self.names = ToolNames()
        self.tools = NO_TOOLS
        # The parameters that most bodies do not have are not looked for in them one by one.
        self._plain = parameters.PLAIN.issuperset(self.body.values)

    def history_field(self, *, own: str, other: str) -> str:
        """Return the name of the field with the history: `other` if only that is filled, else `own`.

        Some clients post one API's body to the other's route (seen with Cursor).
        """
        values = self.body.values
        if values.get(own):
            return own
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
        body, resolved, plain = self.body, self.resolved, self._plain
        if not plain:
            parameters.refuse_impossible(body)
        if "include" in body.values or not parameters.HANDLED.issuperset(body.names):
            parameters.note_dropped(body, self.dropped, echoed=echoed)
        choice = self._read_tools(field)
        items = self._history(field)
        request = UpstreamRequest(
            model=resolved.model.slug,
            shape=self._shape(choice),
            session_id="",
            input=(),
            instructions=body.text("instructions") or "",
            tools=self.tools.tools,
            tool_choice=choice,
            parallel_tool_calls=None if plain else parameters.parallel_of(body),
            reasoning=parameters.reasoning_of(
                body,
                resolved,
                default_effort=self.options.default_effort,
                summary=self.options.reasoning_summary,
            ),
            text={} if plain else parameters.text_of(body, resolved.model, self.dropped),
            service_tier=(
                parameters.tier_of(body, resolved, self.dropped)
                if resolved.fast or not plain
                else None
            ),
            prompt_cache_key=body.text("prompt_cache_key") or "",
        )
        asks_json = not plain and request.text.get("format") == {"type": "json_object"}
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
        metadata = self.body.values.get("metadata")
        notes = metadata if isinstance(metadata, dict) else {}
        task, conversation = notes.get("task"), notes.get("cursorConversationId")
        lane = request.prompt_cache_key or self.client.session
        translated = TranslatedRequest(
            request=request,
            asked_model=self.asked_model[:_MODEL_NAME_LENGTH] or request.model,
            stream=self.body.flag("stream"),
            answer=answer,
            verbatim=verbatim,
            tool_names=self.names.restored,
            store=store,
            unresolved=previous_response_id is not None or bool(references),
            previous_response_id=previous_response_id,
            references=references,
            asks_faster=not self._plain and parameters.asks_faster(self.body),
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
        return finished(translated, items)

    def _read_tools(self, field: str) -> str | dict[str, Any]:
        """Read the tools and their names; return the tool choice."""
        body, values = self.body, self.body.values
        inside = tools_inside(values.get(field))
        search = () if self._plain else search_of_options(values.get("web_search_options"))
        if body.tools_json and not inside and not search:
            read = read_again(body.tools_json)
            self.names, self.tools = read.names.copy(), read.tools
            for name in read.dropped:
                self.dropped.add(name)
        elif body.tools or body.functions or inside or search:
            functions = bool(body.functions) and not body.tools
            declared = (*inside, *(body.functions if functions else body.tools), *search)
            tools_field = "functions" if functions else "tools"
            self.names = ToolNames(declared_names(declared))
            self.tools = read_tools(declared, tools_field, names=self.names, dropped=self.dropped)
        if self._plain:
            return "auto"
        choice_field = "tool_choice" if "tool_choice" in values else "function_call"
        return read_choice(
            values.get(choice_field), choice_field, offered=self.tools, names=self.names
        )

    def _history(self, field: str) -> list[Item]:
        reading = TranslationContext(
            names=self.names,
            dropped=self.dropped,
            custom=self.tools.custom,
            audio="audio" in self.resolved.model.input_modalities,
        )
        values = self.body.values
        system = joined_text(values["system"], "system") if "system" in values else ""
        items = history_items(values.get(field, []), field, reading)
        return [message("developer", [text_part(system)]), *items] if system else items

    def _shape(self, choice: str | dict[str, Any]) -> Shape:
        """Return the shape: the catalogue's, or classic for what only the classic shape is known to have.

        That is a forced tool choice, web search, and parallel calls where a client wants them.
        Where the backend refuses it, the request is repeated in the lite shape (`policy`).
        """
        needs_classic = bool(self.tools.tools) and (
            forces(choice)
            or (choice != "none" and self.tools.searches)
            or parameters.parallel_of(self.body) is True
        )
        lite = self.resolved.model.use_responses_lite and not needs_classic
        return Shape.LITE if lite else Shape.CLASSIC


def _default(catalogue: Catalogue, default: str | None, missing: ModelNotFound) -> Resolved:
    """The key's default model, for a name that is missing. Raises UnknownModel."""
    try:
        if default is not None:
            return catalogue.resolve(default)
    except ModelNotFound as error:
        missing = error
    raise UnknownModel(str(missing)) from None
