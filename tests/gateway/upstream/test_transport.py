from support.clock import Clock

from codex_proapi.gateway.upstream.transport import SilenceBudget


def test_one_silence_is_counted_over_all_attempts_and_begins_again_with_an_event() -> None:
    clock = Clock()
    silence = SilenceBudget.begin(clock, seconds=300)
    assert not silence.exhausted

    first = silence.deadline
    clock.pass_(200)
    assert silence.deadline == first == clock() + 100

    silence.restart()
    assert silence.deadline == clock() + 300
    clock.pass_(300)
    assert silence.exhausted
