"""A translator is freed with its answer, and not only by the garbage collector.

One that refers to itself stays until the next collection, which looks at everything that was made
since the last one and holds up every request meanwhile.
"""

import gc
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from support.gateways import a_chat, a_response
from support.playbook import transcript

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.api.dialects.table import DIALECTS
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
)
from codex_proapi.gateway.translation.stream.stream_translator import (
    ResponseReport,
    StreamTranslator,
)

BY_NAME = {dialect.name: dialect for dialect in DIALECTS}
COMPLETION = {"model": "gpt-5.5", "prompt": "hi"}
MESSAGE = {**a_chat(), "max_tokens": 100}


@pytest.fixture(autouse=True)
def _never_collected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def _translator(endpoint: str, body: dict[str, Any], *, codex: bool) -> StreamTranslator:
    translated = BY_NAME[endpoint].read(
        msgspec.json.encode(body),
        catalogue=Catalogue.built_in(),
        options=RequestOptions(),
        client=ClientTraits(is_codex=codex),
    )
    return BY_NAME[endpoint].translator(translated, request_id="req_0123", created=1)


def _collected() -> list[str]:
    """Types of what only the garbage collector finds to be unused."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        types = [type(each) for each in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    return [each.__name__ for each in types if each.__module__.startswith("codex_proapi")]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("endpoint", "body", "codex"),
    [
        ("chat", a_chat(), False),
        ("responses", a_response(), False),
        ("responses", a_response(), True),
        ("completions", COMPLETION, False),
        ("messages", MESSAGE, False),
    ],
)
@pytest.mark.parametrize("parts", [1, 2])
def test_nothing_of_a_translator_is_left(
    endpoint: str, body: dict[str, Any], codex: bool, stream: bool, parts: int
) -> None:
    gc.collect()
    translator = _translator(endpoint, {**body, "stream": stream}, codex=codex)
    says = transcript("text_reasoning_tool")
    translator.feed(says[: len(says) // parts])
    assert translator.done is (parts == 1)

    del translator

    assert _collected() == []


def test_a_circle_would_be_found() -> None:
    gc.collect()
    report = ResponseReport()
    report.metadata["itself"] = report  # type: ignore[assignment]
    del report

    assert _collected() == ["ResponseReport"]
