"""Texts of documents and search results, which upstream has no parts for."""

from typing import Any

from codex_proapi.gateway.formats.codex.input_items import Part
from codex_proapi.gateway.translation.request.parts import each_part


def is_of_parts(part: Part) -> bool:
    """Whether a document is given as text and image parts of its own."""
    return bool(source_kind(part) == "content")


def source_kind(part: Part) -> Any:
    """Return the type of a part's source; None without one."""
    source = part.get("source")
    return source.get("type") if isinstance(source, dict) else None


def document_head(part: Part) -> str:
    """Return what the model must know of a document beside its content: title and context.

    The title of a file is its name, so only its context is told.
    """
    fields = ("title", "context") if source_kind(part) in ("text", "content") else ("context",)
    return "\n".join(part[f] for f in fields if isinstance(part.get(f), str) and part[f])


def search_result_text(part: Part, where: str) -> str:
    """Return a search result as text: title, source, passage. Raises BadRequest."""
    content = each_part(part.get("content"), f"{where}.content")
    texts = [each["text"] for each in content if isinstance(each.get("text"), str)]
    head = [part[field] for field in ("title", "source") if isinstance(part.get(field), str)]
    return "\n".join([*head, *texts])
