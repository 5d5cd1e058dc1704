"""What kustomize renders, for every check of it."""

import pytest
from deploy.toolbox import OVERLAYS, Manifest, rendered


@pytest.fixture(scope="module")
def all_rendered() -> dict[str, list[Manifest]]:
    return {overlay: rendered(f"overlays/{overlay}") for overlay in OVERLAYS}


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
