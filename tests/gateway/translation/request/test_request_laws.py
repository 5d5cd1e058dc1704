"""Whatever a body holds, it is translated by upstream's rules or refused with its culprit."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.askings import (
    CATALOGUE,
    CODEX,
    NOBODY,
    READERS,
    asked,
)
from support.bodies import ANY_OBJECTS, ENDPOINTS, LIKELY_BODIES
from support.upstream_rules import broken_rule

from codex_proapi.gateway.errors import BadRequest, UnknownModel
from codex_proapi.gateway.formats.codex.requests import Shape, UpstreamRequest
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    HistoryMode,
    RequestOptions,
    TranslatedRequest,
)


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b'{"a":1e999}', b"\xff", b'{"a":"\xff"}'])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        asked(body)

    assert refused.value.param


def test_what_cannot_be_read_deep_inside_is_refused() -> None:
    body = b'{"model":"gpt-5.5","messages":"hi","tools":[{"type":"function","name":1e999}]}'

    with pytest.raises(BadRequest) as refused:
        asked(body)

    assert refused.value.param == "body"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=LIKELY_BODIES, endpoint=ENDPOINTS, mode=st.sampled_from(HistoryMode))
def test_any_likely_body_is_refused_with_its_culprit_or_keeps_upstreams_rules(
    body: dict[str, Any], endpoint: Any, mode: HistoryMode
) -> None:
    before = json.dumps(body)
    options = RequestOptions(history_mode=mode)
    try:
        translated = READERS[endpoint](body, catalogue=CATALOGUE, options=options, client=NOBODY)
    except (BadRequest, UnknownModel) as refused:
        culprit = refused.param
    else:
        culprit = "none"
        _check(translated, body, before)

    assert culprit


def _check(translated: TranslatedRequest, body: dict[str, Any], before: str) -> None:
    assert json.dumps(body) == before
    request = translated.request
    if request.text_only:
        assert all(part.keys() == {"type", "text"} for part in _parts(request))
    for each in (request, request.in_shape(request.shape.other), request.without_encrypted()):
        if not (each.shape is Shape.LITE and "5.5" in each.model):
            assert _rule(each) is None
    originals = {translated.tool_names.get(t.name, t.name) for t in request.tools}
    assert len(originals) == len(request.tools)


def _parts(request: UpstreamRequest) -> list[dict[str, Any]]:
    """All parts of messages and results."""
    held = [item.get(field) for item in request.input for field in ("content", "output")]
    return [part for parts in held if isinstance(parts, list) for part in parts]


def _rule(request: Any) -> str | None:
    """The broken rule, apart from an input that was nothing but secrets."""
    return broken_rule(request) if request.body()["input"] else None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    body=ANY_OBJECTS,
    endpoint=ENDPOINTS,
    client=st.sampled_from([NOBODY, CODEX]),
)
def test_any_json_at_all_is_translated_or_refused_with_its_culprit(
    body: dict[str, Any], endpoint: Any, client: ClientTraits
) -> None:
    try:
        translated = READERS[endpoint](
            body, catalogue=CATALOGUE, options=RequestOptions(), client=client
        )
    except (BadRequest, UnknownModel) as refused:
        culprit = refused.param
    else:
        culprit = "none"
        translated.request.encode()
        translated.request.in_shape(translated.request.shape.other).encode()

    assert culprit
