"""What kustomize renders, for every check of it."""

import copy
from collections.abc import Iterator

import pytest
from deploy.toolbox import OVERLAYS, Manifest, rendered


@pytest.fixture(scope="session")
def all_rendered() -> Iterator[dict[str, list[Manifest]]]:
    """The manifests of each overlay; a check that changes some copies them first."""
    made = {overlay: rendered(f"overlays/{overlay}") for overlay in OVERLAYS}
    as_rendered = copy.deepcopy(made)
    yield made
    assert made == as_rendered


@pytest.fixture(params=OVERLAYS)
def manifests(
    request: pytest.FixtureRequest, all_rendered: dict[str, list[Manifest]]
) -> list[Manifest]:
    return all_rendered[request.param]


@pytest.fixture
def example(all_rendered: dict[str, list[Manifest]]) -> list[Manifest]:
    return all_rendered["example"]


@pytest.fixture
def ha(all_rendered: dict[str, list[Manifest]]) -> list[Manifest]:
    return all_rendered["ha"]
