"""Caps of a key on effort and service tier."""

from typing import Any

import msgspec
import pytest
from support.leases import a_request

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.translation.request.key_caps import capped
from codex_proapi.gateway.translation.request.translated_request import (
    Basis,
    HistoryMode,
    TranslatedRequest,
)

CATALOGUE = Catalogue.built_in()


def translated(model: str = "gpt-5.5", **fields: Any) -> TranslatedRequest:
    request = a_request(model=model, **fields)
    basis = Basis(
        key_id="", history_mode=HistoryMode.STRUCTURED, verbatim=False, lane=None, session=None
    )
    return TranslatedRequest(
        request=request, asked_model=model, stream=True, answer=request, basis=basis
    )


@pytest.mark.parametrize(
    ("model", "asked", "highest", "sent"),
    [
        ("gpt-5.5", "xhigh", "medium", "medium"),
        ("gpt-5.5", "medium", "medium", "medium"),
        ("gpt-5.5", "low", "medium", "low"),
        ("gpt-5.5", "xhigh", "", "xhigh"),
        ("gpt-5.5", "high", "none", "low"),  # the least that the model takes
        ("gpt-5.5", "xhigh", "ultra", "xhigh"),
        ("gpt-5.5", "gigantic", "high", "high"),
        ("gpt-5.5", None, "low", "low"),  # the model's own is medium
        ("gpt-5.5", None, "high", None),
        ("gpt-9", "max", "minimal", "minimal"),
    ],
)
def test_an_effort_is_lowered_to_what_the_key_may_ask_for(
    model: str, asked: str | None, highest: str, sent: str | None
) -> None:
    reasoning = {"summary": "auto", **({"effort": asked} if asked else {})}
    given = translated(model, reasoning=reasoning)

    found = capped(given, CATALOGUE.find(model), max_effort=highest, fast_tier="")

    assert found.request.reasoning.get("effort") == sent
    assert found.request.reasoning["summary"] == "auto"
    assert ("reasoning.effort" in found.dropped) == (sent != asked)


@pytest.mark.parametrize(
    ("tier", "fast_tier", "sent"),
    [
        ("priority", "", "priority"),
        ("priority", "ignore", None),
        ("ultrafast", "ignore", None),
        ("flex", "ignore", "flex"),
        (None, "refuse", None),
        ("flex", "refuse", "flex"),
    ],
)
def test_a_faster_tier_is_left_out(tier: str | None, fast_tier: str, sent: str | None) -> None:
    given = translated(service_tier=tier)

    found = capped(given, None, max_effort="", fast_tier=fast_tier)

    assert found.request.service_tier == sent
    assert ("service_tier" in found.dropped) == (tier != sent)


def test_or_refused_by_name() -> None:
    with pytest.raises(BadRequest) as refused:
        capped(translated(service_tier="priority"), None, max_effort="", fast_tier="refuse")

    assert (refused.value.param, refused.value.status) == ("service_tier", 400)


def test_so_is_one_that_the_model_does_not_have() -> None:
    given = msgspec.structs.replace(translated(), asks_faster=True)

    with pytest.raises(BadRequest) as refused:
        capped(given, None, max_effort="", fast_tier="refuse")

    assert refused.value.param == "service_tier"
    assert capped(given, None, max_effort="", fast_tier="ignore") is given
