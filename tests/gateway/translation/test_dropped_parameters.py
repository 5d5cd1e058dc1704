"""Names of what was left out, harmless in a header."""

from codex_proapi.gateway.translation.dropped_parameters import Dropped


def test_each_name_is_noted_once_in_order() -> None:
    dropped = Dropped()
    for name in ("user", "seed", "user", "a b", "x\r\ny", "", "n" * 65, "include.a-b_c"):
        dropped.add(name)

    assert dropped.names == ("user", "seed", "unknown", "include.a-b_c")
    assert repr(dropped) == "<Dropped user, seed, unknown, include.a-b_c>"


def test_a_flood_is_cut() -> None:
    dropped = Dropped()
    for number in range(100):
        dropped.add(f"n{number}")

    assert len(dropped.names) == 32
