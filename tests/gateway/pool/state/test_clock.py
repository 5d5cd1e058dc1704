"""One time for all replicas."""

from support.clock import Clock

from codex_proapi.gateway.pool.state.clock import SharedClock


def test_a_clock_that_has_learnt_shows_the_time_of_redis() -> None:
    own = Clock(1000.0)
    shared = SharedClock(own)
    assert shared() == 1000.0

    shared.learn(1300.0)
    own.pass_(5)

    assert shared() == 1305.0
    assert repr(shared) == "<SharedClock +300.000 s>"


def test_without_another_it_shows_the_machines_time() -> None:
    assert SharedClock()() > 1_700_000_000
