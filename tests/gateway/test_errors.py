from typing import Any

import pytest

from codex_proapi.gateway import errors
from codex_proapi.gateway.errors import CODES, AllSpent, GatewayError, UpstreamRefused
from codex_proapi.gateway.formats.openai.errors import error_type


def concrete() -> Any:
    """Every error that is raised itself."""
    found, frontier = [], [GatewayError]
    while frontier:
        kind = frontier.pop()
        frontier += kind.__subclasses__()
        found.append(kind)
    return [kind for kind in found if kind.__module__ == errors.__name__ and kind.__doc__]


@pytest.mark.parametrize("kind", concrete(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_a_name_for_figures(kind: Any) -> None:
    error = kind.__new__(kind)

    assert 400 <= kind.status < 600
    assert error.label in CODES
    assert error_type(error) in {
        *("invalid_request_error", "server_error", "rate_limit_error", "usage_limit_reached"),
    }


def test_what_is_said_of_one_error_overrides_its_class() -> None:
    error = GatewayError("no", code="a", param="b", retry_after=3)

    assert (str(error), error.message, error.code, error.param, error.retry_after) == (
        *("no", "no", "a", "b"),
        3,
    )


def test_a_spent_quota_tells_when_it_begins_anew() -> None:
    error = AllSpent("spent", resets_at=5, resets_in=3, plan="plus")

    assert (error.resets_at, error.resets_in, error.plan) == (5, 3, "plus")
    assert error.retry_after is None


def test_a_final_refusal_has_the_status_it_is_told_with() -> None:
    error = UpstreamRefused("no", status=418, code="c", param="p", retry_after=1)

    assert (error.status, error.code, error.param) == (418, "c", "p")
    assert error.label == "c"
