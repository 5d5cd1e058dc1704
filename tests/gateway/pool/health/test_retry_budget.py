from contextlib import ExitStack

from codex_proapi.gateway.pool.health.retry_budget import RetryBudget, Spending


def test_at_least_three_may_retry_and_beyond_that_a_fifth_of_all() -> None:
    budget = RetryBudget()
    with ExitStack() as stack:
        few = [stack.enter_context(Spending(budget)) for _ in range(5)]
        assert [spending.retry() for spending in few] == [True, True, True, False, False]

        many = [stack.enter_context(Spending(budget)) for _ in range(45)]
        assert sum(spending.retry() for spending in many) == 7
        assert repr(budget) == "<RetryBudget 10 of 50>"

    with Spending(budget) as later:
        assert later.retry()


def test_an_exchange_takes_its_share_once() -> None:
    budget = RetryBudget()
    with Spending(budget) as first:
        assert [first.retry() for _ in range(9)] == [True] * 9
        assert budget.take()
        assert repr(first) == "<Spending 1>"
