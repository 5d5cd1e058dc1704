from typing import Any

from codex_proapi.simulator.state.catalogue import MODELS, describe_model, models_for, parse_version


def slugs(models: Any) -> Any:
    return [model.slug for model in models]


def test_a_new_client_of_a_paid_plan_has_every_model() -> None:
    assert models_for("plus", client_version="0.169.0") == list(MODELS)


def test_an_old_client_has_fewer() -> None:
    assert slugs(models_for("plus", client_version="0.124.0")) == ["gpt-5.5", "codex-auto-review"]


def test_a_free_plan_has_no_review_model() -> None:
    assert "codex-auto-review" not in slugs(models_for("free"))


def test_an_account_may_be_limited_to_some() -> None:
    assert slugs(models_for("plus", only=("gpt-5.5",))) == ["gpt-5.5"]


def test_versions_are_compared_as_numbers() -> None:
    assert (parse_version("0.169.0") or ()) > (0, 98, 0)
    assert parse_version("0.170.0-alpha.1") == (0, 170, 0)
    assert parse_version("latest") is None


def test_ultra_is_listed_but_not_spoken() -> None:
    sol = MODELS[0]

    assert sol.efforts[-1] == "ultra"
    assert sol.wire_efforts[-1] == "max"


def test_a_model_is_told_with_its_shape_and_efforts() -> None:
    told = describe_model(MODELS[0], plan="plus")

    assert told["slug"] == "gpt-6.2-sol"
    assert told["use_responses_lite"] is True
    assert told["supported_reasoning_levels"][0]["effort"] == "low"
    assert told["visibility"] == "list"
    assert told["service_tiers"][0]["id"] == "priority"
