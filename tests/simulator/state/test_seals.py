from codex_proapi.simulator.state.seals import is_sealed_by, seal


def test_only_the_maker_can_bring_a_seal_back() -> None:
    sealed = seal("mine", "thoughts")

    assert sealed.startswith("gAAAA")
    assert is_sealed_by("mine", sealed)
    assert not is_sealed_by("theirs", sealed)


def test_a_changed_seal_is_none() -> None:
    assert not is_sealed_by("mine", seal("mine", "thoughts") + "x")
    assert not is_sealed_by("mine", "gAAAAABfake")
    assert not is_sealed_by("mine", "hello")
