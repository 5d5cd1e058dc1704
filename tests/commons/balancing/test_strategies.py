from codex_proapi.commons.balancing.strategies import Routing


def test_strategies_are_named_as_settings_name_them() -> None:
    assert {each.value for each in Routing} == {
        "affinity",
        "round_robin",
        "drain_soonest",
        "least_used",
    }
