from typing import Any, cast

from codex_proapi.commons.codex.quota_parser import Quota
from codex_proapi.gateway.pool.account_facts import AccountFacts


class Part:
    """Catalogues and quotas at once; remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def lists(self, account_id: Any, model: Any) -> Any:
        return model == "gpt-5.5"

    def windows(self, account_id: Any, model: Any) -> Any:
        return account_id, model

    def credits(self, account_id: Any) -> Any:
        return account_id == "acc_a"

    def observe_headers(self, *said: Any) -> None:
        self.heard.append(said)

    def observe_quota(self, *said: Any) -> None:
        self.heard.append(said)

    def observe_etag(self, *said: Any) -> None:
        self.heard.append(said)


def test_what_passes_by_reaches_whom_it_concerns() -> None:
    part = Part()
    account_facts = AccountFacts(cast("Any", part), cast("Any", part))
    quota = Quota(plan="plus")

    account_facts.observe_headers("acc_a", {"x-models-etag": "1"})
    account_facts.observe_headers("acc_a", {})
    account_facts.observe_quota("acc_a", quota)

    assert part.heard == [
        ("acc_a", {"x-models-etag": "1"}),
        ("acc_a", "1"),
        ("acc_a", {}),
        ("acc_a", quota),
    ]
    assert account_facts.lists("acc_a", "gpt-5.5")
    assert not account_facts.lists("acc_a", "gpt-2")
    told: Any = account_facts.windows("acc_a", "gpt-5.5")
    assert told == ("acc_a", "gpt-5.5")
    assert account_facts.credits("acc_a")
    assert not account_facts.credits("acc_b")
