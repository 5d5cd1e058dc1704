"""Output items as values."""

import json
from typing import Any

import msgspec
import pytest
from support import upstream_says as says

from codex_proapi.gateway.errors import Malformed
from codex_proapi.gateway.formats.codex.items import (
    Citation,
    CustomCallItem,
    FunctionCallItem,
    MessageItem,
    OtherItem,
    Part,
    ReasoningItem,
    citation_of,
    citations_of,
    decode_item,
)


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def test_items_become_their_structs() -> None:
    assert decode_item(raw(says.call("f", "{}"))) == FunctionCallItem(
        "f", id="fc_1", call_id="call_1", arguments="{}", status="completed"
    )
    assert decode_item(raw(says.custom("p", "*"))) == CustomCallItem(
        "p", id="ctc_1", call_id="call_1", input="*", status="completed"
    )
    assert decode_item(raw(says.reasoning("Hm"))) == ReasoningItem(
        "rs_1", [Part("summary_text", "Hm")]
    )
    message = decode_item(raw(says.message("Hi")))
    assert isinstance(message, MessageItem)
    assert message.content
    assert message.content[0].text == "Hi"


@pytest.mark.parametrize("item", [{"type": "compaction", "encrypted_content": "x"}, {}])
def test_other_items_are_only_named(item: Any) -> None:
    assert decode_item(raw(item)) == OtherItem(item.get("type", ""))


@pytest.mark.parametrize("item", [5, {"type": "function_call"}, {"type": "message", "content": 5}])
def test_a_known_item_of_unknown_shape_is_malformed(item: Any) -> None:
    with pytest.raises(Malformed):
        decode_item(raw(item))


def test_only_url_citations_are_taken_from_annotations() -> None:
    citation = {"type": "url_citation", "url": "https://a.example", "title": "A"}
    other = {"type": "file_citation", "file_id": "f"}
    found = Citation("url_citation", "https://a.example", "A")

    assert citations_of(raw([citation, other, {"type": "url_citation"}])) == [found]
    assert citation_of(raw(citation)) == [found]
    assert citation_of(raw(other)) == []


@pytest.mark.parametrize("broken", [msgspec.Raw(b""), msgspec.Raw(b"null"), msgspec.Raw(b"[5]")])
def test_annotations_that_cannot_be_read_cite_nothing(broken: msgspec.Raw) -> None:
    assert citations_of(broken) == []
    assert citation_of(broken) == []
