from typing import Any, cast

from gateway.dialects.quota import Quota
from gateway.relay.knowledge import Knowledge


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

    def saw_headers(self, *said: Any) -> None:
        self.heard.append(said)

    def saw_quota(self, *said: Any) -> None:
        self.heard.append(said)

    def saw_etag(self, *said: Any) -> None:
        self.heard.append(said)


def test_what_passes_by_reaches_whom_it_concerns() -> None:
    part = Part()
    knowledge = Knowledge(cast("Any", part), cast("Any", part))
    quota = Quota(plan="plus")

    knowledge.saw_headers("acc_a", {"x-models-etag": "1"})
    knowledge.saw_headers("acc_a", {})
    knowledge.saw_quota("acc_a", quota)

    assert part.heard == [
        ("acc_a", {"x-models-etag": "1"}),
        ("acc_a", "1"),
        ("acc_a", {}),
        ("acc_a", quota),
    ]
    assert knowledge.lists("acc_a", "gpt-5.5")
    assert not knowledge.lists("acc_a", "gpt-2")
    told: Any = knowledge.windows("acc_a", "gpt-5.5")
    assert told == ("acc_a", "gpt-5.5")
    assert knowledge.credits("acc_a")
    assert not knowledge.credits("acc_b")
