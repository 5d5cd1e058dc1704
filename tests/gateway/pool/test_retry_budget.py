from contextlib import ExitStack
from typing import Any

from support.clock import Clock

from codex_proapi.gateway.pool.retry_budget import Egress, RetryBudget


def test_at_least_three_may_retry_and_beyond_that_a_fifth_of_all() -> None:
    budget = RetryBudget()
    with ExitStack() as stack:
        few = [stack.enter_context(budget.exchange()) for _ in range(5)]
        assert [spending.retry() for spending in few] == [True, True, True, False, False]

        many = [stack.enter_context(budget.exchange()) for _ in range(45)]
        assert sum(spending.retry() for spending in many) == 7
        assert repr(budget) == "<RetryBudget 10 of 50>"

    with budget.exchange() as later:
        assert later.retry()


def test_an_exchange_takes_its_share_once() -> None:
    budget = RetryBudget()
    with budget.exchange() as first:
        assert [first.retry() for _ in range(9)] == [True] * 9
        assert budget.take()
        assert repr(first) == "<Spending 1>"


def test_a_refused_address_pauses_longer_each_time_until_an_answer_comes() -> None:
    clock = Clock()
    egress = Egress(clock)
    assert egress.pause() == 0

    waits: list[Any] = []
    for _ in range(5):
        egress.refused()
        egress.refused()  # of those that were under way
        waits.append(round(egress.pause()))
        clock.pass_(egress.pause())
        assert egress.pause() == 0
    assert waits == [60, 120, 240, 300, 300]

    egress.refused()
    egress.answered()
    assert egress.pause() == 0
    egress.refused()
    assert round(egress.pause()) == 60
