from codex_proapi.gateway.pool.health.retry_budget import RetryBudget


def test_at_least_three_may_retry_and_beyond_that_a_fifth_of_all() -> None:
    budget = RetryBudget()
    budget.under_way = 5
    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]

    budget.under_way = 50
    assert sum(budget.take() for _ in range(45)) == 7
    assert repr(budget) == "<RetryBudget 10 of 50>"
