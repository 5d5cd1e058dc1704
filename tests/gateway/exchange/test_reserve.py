"""Which model's reserve may serve in place of a model."""

import pytest

from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.gateway.exchange.reserve import reserve_for

LUNAS = frozenset({"gpt-6-luna", "gpt-5.6-luna"})


@pytest.mark.parametrize(
    ("model", "mode", "takes", "expected"),
    [
        ("gpt-5.6-luna", LunaReserve.OFF, True, ""),
        ("gpt-5.6-luna", LunaReserve.LUNA, True, "gpt-5.6-luna"),
        ("gpt-6-luna", LunaReserve.LUNA, False, "gpt-6-luna"),
        ("gpt-6-sol", LunaReserve.LUNA, True, ""),
        ("gpt-6-sol", LunaReserve.FALLBACK, True, "gpt-5.6-luna"),
        ("gpt-6-sol", LunaReserve.FALLBACK, False, ""),
        ("gpt-6-luna", LunaReserve.FALLBACK, False, "gpt-6-luna"),
    ],
)
def test_the_setting_and_the_key_decide(
    model: str, mode: LunaReserve, takes: bool, expected: str
) -> None:
    assert reserve_for(model, mode=mode, serves=LUNAS, takes_fallbacks=takes) == expected


@pytest.mark.parametrize("mode", list(LunaReserve))
def test_without_a_reserve_there_is_none(mode: LunaReserve) -> None:
    assert reserve_for("gpt-5.6-luna", mode=mode, serves=frozenset(), takes_fallbacks=True) == ""
