"""Answers that another model gives than was sent: noted, and dropped once where that is asked."""

from typing import Any

import pytest
from support.dispatching import SPENT, Scene, Upstream, an_opening
from support.leases import a_lease, a_request

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause
from codex_proapi.gateway.formats.codex.refusals import Refusal

LUNA = "gpt-5.6-luna"


class Substituting(Upstream):
    """Answers by the model that a test names; `""` is the one that was sent."""

    async def open(self, prepared: Any, silence: Any) -> Any:
        self.asked.append(prepared)
        answer = self.answers.pop(0)
        if isinstance(answer, Refusal):
            return answer
        refusal = prepared.on_other_model(answer) if answer else None
        return an_opening() if refusal is None else refusal


def scene_of(leases: Any, answers: Any) -> Scene:
    scene = Scene(leases, ())
    scene.upstream.__class__ = Substituting
    scene.upstream.answers = list(answers)
    return scene


async def test_an_answer_by_another_model_is_the_clients_and_its_account_rests() -> None:
    scene = scene_of([a_lease("acc_a"), a_lease("acc_b")], [LUNA])

    committed = await scene.dispatch()

    assert committed.lease.account.id == "acc_a"
    assert scene.said.substitutions == [("acc_a", a_request().model, LUNA)]
    assert scene.verdicts == [("acc_a", "committed")]


async def test_the_answer_is_dropped_for_another_accounts_where_that_is_asked() -> None:
    scene = scene_of([a_lease("acc_a"), a_lease("acc_b")], [LUNA, ""])

    committed = await scene.dispatch(drop_substituted=True)

    assert committed.lease.account.id == "acc_b"
    assert scene.selector.tried == [set(), {"acc_a"}]
    assert scene.said.substitutions == [("acc_a", a_request().model, LUNA)]
    assert scene.verdicts == [("acc_a", "next_account"), ("acc_b", "committed")]


async def test_never_two_answers_are_dropped_for_one_request() -> None:
    scene = scene_of([a_lease("acc_a"), a_lease("acc_b"), a_lease("acc_c")], [LUNA, LUNA])

    committed = await scene.dispatch(drop_substituted=True)

    assert committed.lease.account.id == "acc_b"
    assert [account for account, *_ in scene.said.substitutions] == ["acc_a", "acc_b"]


async def test_the_only_accounts_answer_is_not_dropped() -> None:
    scene = scene_of([a_lease("acc_a", sole=True)], [LUNA])

    committed = await scene.dispatch(drop_substituted=True)

    assert committed.lease.account.id == "acc_a"


@pytest.mark.parametrize("between", [[], [SPENT], [SPENT, SPENT]])
async def test_where_no_other_account_answers_the_first_is_asked_again(between: Any) -> None:
    nobody = NoCandidate(cause=NoCandidateCause.EMPTY)
    others = [a_lease(f"acc_{number}") for number in range(len(between))]
    scene = scene_of(
        [a_lease("acc_a"), *others, *([] if len(others) > 1 else [nobody]), a_lease("acc_a")],
        [LUNA, *between, LUNA],
    )
    scene.selector.look = nobody

    committed = await scene.dispatch(drop_substituted=True)

    assert committed.lease.account.id == "acc_a"
    assert "acc_a" not in scene.selector.tried[-1]


async def test_a_dropped_answer_is_not_what_a_client_is_told_of_in_the_end() -> None:
    scene = scene_of([a_lease("acc_a"), a_lease("acc_b"), a_lease("acc_a")], [LUNA, SPENT, SPENT])

    error = await scene.refused(drop_substituted=True)

    assert error.status == 429
