"""Puts a Messages history into the order that upstream accepts, after its messages were read."""

from collections import Counter
from operator import itemgetter
from typing import Final

from codex_proapi.gateway.formats.codex.input_items import Part, text_part
from codex_proapi.gateway.formats.codex.requests import Item

_kind_of: Final = itemgetter("type")
_RESULT: Final = "function_call_output"
_CALL: Final = "function_call"


def with_joined_results(items: list[Item]) -> list[Item]:
    """Join several results of one call: upstream accepts one for each."""
    answered = [item["call_id"] for item in items if item["type"] == _RESULT and item["call_id"]]
    if len(set(answered)) == len(answered):
        return items
    calls = Counter(item["call_id"] for item in items if item["type"] == _CALL)
    results: Counter[str] = Counter()
    last: dict[str, Item] = {}
    further: dict[str, list[str | list[Part]]] = {}
    kept: list[Item] = []
    for item in items:
        call_id = item["call_id"] if item["type"] == _RESULT else ""
        if call_id and results[call_id] >= max(1, calls[call_id]):
            further.setdefault(call_id, [last[call_id]["output"]]).append(item["output"])
            continue
        if call_id:
            results[call_id] += 1
            last[call_id] = item
        kept.append(item)
    for call_id, outputs in further.items():
        last[call_id]["output"] = _joined(outputs)
    return kept


def _joined(outputs: list[str | list[Part]]) -> str | list[Part]:
    """Join all outputs at once; joining one by one would copy the text each time."""
    texts = [output for output in outputs if isinstance(output, str)]
    if len(texts) == len(outputs):
        return "\n".join(texts)
    return [part for output in outputs for part in _as_parts(output)]


def _as_parts(output: str | list[Part]) -> list[Part]:
    if isinstance(output, str):
        return [text_part(output)] if output else []
    return output


def with_followed_reasoning(items: list[Item]) -> list[Item]:
    """Leave out reasoning that no item of the model follows: upstream refuses it alone."""
    if "reasoning" not in map(_kind_of, items):
        return items
    kept: list[Item] = []
    followed = False
    for item in reversed(items):
        if item["type"] == "reasoning":
            if followed:
                kept.append(item)
            continue
        followed = item["type"] == _CALL or item.get("role") == "assistant"
        kept.append(item)
    return kept[::-1]
