from codex_proapi.console.views.checklist import Checklist


def test_the_first_open_step_is_next() -> None:
    steps = [
        Checklist(accounts=False, keys=False, answered=False).next,
        Checklist(accounts=False, keys=True, answered=True).next,
        Checklist(accounts=True, keys=False, answered=False).next,
        Checklist(accounts=True, keys=True, answered=False).next,
    ]

    assert steps == ["accounts", "accounts", "keys", "connect"]


def test_it_is_done_when_all_three_are() -> None:
    assert Checklist(accounts=True, keys=True, answered=True).done
    assert not Checklist(accounts=True, keys=True, answered=False).done
