"""Answers that break off after the first byte: what is learnt, and who is asked again."""

import pytest
from support.dispatching import SPENT, Scene
from support.leases import a_lease

from codex_proapi.commons.codex.quota_parser import Quota
from codex_proapi.gateway.errors import (
    AllSpent,
    GatewayError,
    Truncated,
    UpstreamRefused,
)
from codex_proapi.gateway.exchange.dispatch import RETRY_SECONDS
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport


async def test_an_answer_that_breaks_off_later_teaches_what_it_said() -> None:
    scene = Scene([a_lease("acc_a")], ["yes"])
    committed = await scene.dispatch()
    report = ResponseReport()

    await scene.dispatcher.broke_off(committed, report, Truncated("cut"))
    await scene.dispatcher.broke_off(committed, None, Truncated("cut"))
    report.refusal = SPENT
    await scene.dispatcher.broke_off(committed, report, UpstreamRefused("x", status=429))

    assert scene.said.broken == [("acc_a", "upstream_stream_truncated")] * 2
    assert scene.said.learnt == [("acc_a", "spent", None)]


async def test_an_answer_that_broke_off_unseen_is_asked_of_the_next_account() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], ["yes", "yes"])
    first = await scene.dispatch()

    second = await scene.dispatcher.again(first, ResponseReport(), Truncated("cut"))

    assert second.lease.account.id == scene.exchange.account == "acc_b"
    assert scene.slept == []
    assert scene.selector.tried == [set(), {"acc_a"}]
    assert scene.said.learnt == [("acc_a", "transient", None)]
    assert scene.said.ties == {"f1": "acc_b"}
    assert scene.verdicts == [("acc_a", "next_account"), ("acc_b", "committed")]


async def test_the_only_account_is_asked_once_more_for_an_answer_that_broke_off() -> None:
    scene = Scene([a_lease("acc_a", sole=True)], ["yes", "yes"])
    committed = await scene.dispatch()

    committed = await scene.dispatcher.again(committed, ResponseReport(), Truncated("cut"))
    with pytest.raises(AllSpent):
        await scene.dispatcher.again(
            committed,
            a_report(SPENT),
            UpstreamRefused("x", status=429),
        )

    assert scene.slept == [RETRY_SECONDS]
    assert scene.verdicts == [("acc_a", "same_account_again"), ("acc_a", "next_account")]


async def test_answers_that_break_off_are_asked_of_three_accounts_and_no_more() -> None:
    scene = Scene([a_lease(f"acc_{n}") for n in "abcd"], ["yes"] * 4)
    committed = await scene.dispatch()

    asked = 1
    with pytest.raises(Truncated, match="cut"):
        while asked < 10:
            committed = await scene.dispatcher.again(committed, ResponseReport(), Truncated("cut"))
            asked += 1

    assert asked == 3


async def test_what_nobody_would_answer_differently_is_not_asked_again() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], ["yes", "yes"])
    committed = await scene.dispatch()
    flagged = Refusal(status=400, code="cyber_policy", message="No.")

    with pytest.raises(GatewayError) as caught:
        await scene.dispatcher.again(
            committed,
            a_report(flagged),
            UpstreamRefused("x", status=400),
        )

    assert (caught.value.status, caught.value.code) == (400, "cyber_policy")
    assert len(scene.upstream.asked) == 1


async def test_a_storm_of_answers_that_break_off_is_cut_short() -> None:
    scene = Scene([a_lease("acc_a"), a_lease("acc_b")], ["yes", "yes"])
    committed = await scene.dispatch()
    while scene.budget.take():
        pass

    with pytest.raises(Truncated):
        await scene.dispatcher.again(committed, ResponseReport(), Truncated("cut"))

    assert len(scene.upstream.asked) == 1


def a_report(refusal: Refusal) -> ResponseReport:
    report = ResponseReport()
    report.refusal = refusal
    return report


async def test_an_answer_that_came_through_is_a_success() -> None:
    scene = Scene([a_lease("acc_a")], ["yes"])
    committed = await scene.dispatch()

    scene.dispatcher.record_success(committed.lease)

    assert scene.said.succeeded == ["acc_a"]


async def test_whatever_an_answer_told_of_its_quota_is_heard() -> None:
    scene = Scene([a_lease("acc_a")], ["yes"])
    committed = await scene.dispatch()
    before = list(scene.said.headers)
    report = a_report(Refusal(status=429, code="usage_limit_reached", quota=Quota(plan="plus")))
    report.quota = Quota(plan="team")
    report.metadata = {"x-codex-primary-used-percent": "5"}

    scene.dispatcher.note_report(committed.lease.account.id, report)
    scene.dispatcher.note_report(committed.lease.account.id, ResponseReport())

    assert scene.said.quotas == [("acc_a", "team"), ("acc_a", "plus")]
    assert scene.said.headers[len(before) :] == [("acc_a", report.metadata)]
