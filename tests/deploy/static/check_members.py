"""The members as wheels, put side by side into fresh environments with their locks, as an image does."""

import pathlib
import shutil
import sys
import zipfile

import pytest
from deploy.toolbox import DEPLOY, output, run
from support.tree import ROOT

IMAGES = {
    "gateway": ("shared", "services/gateway"),
    "console": ("shared", "services/console"),
    "standalone": (
        *("shared", "services/gateway", "services/console", "services/simulator"),
        "deploy/local",
    ),
}
"""The members of each image; the Dockerfile is compared with it."""
PACKAGES = {"shared": "commons", "services/simulator": "simulator", "deploy/local": "local"}


NATIVE = "shared/native"
"""The compiled functions: in every image, and optional in each."""


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The wheel of the compiled functions, as the build stage of the images makes it."""
    folder = tmp_path_factory.mktemp("native")
    source = folder / "source"
    shutil.copytree(ROOT / NATIVE, source, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    uv = str(ROOT / ".venv" / "bin" / "uv")
    constraints = ("--require-hashes", "--build-constraints", ROOT / "locks" / "build.txt")
    output(uv, "build", "--quiet", "--wheel", *constraints, "--out-dir", folder, source)
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    """A wheel of each member, built from a copy of its folder."""
    made = {}
    for member in IMAGES["standalone"]:
        folder = tmp_path_factory.mktemp("member")
        source = folder / "source"
        shutil.copytree(ROOT / member, source, ignore=shutil.ignore_patterns("__pycache__"))
        output(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source)
        [made[member]] = folder.glob("*.whl")
    return made


def test_no_member_owns_the_namespace(wheels: dict[str, pathlib.Path]) -> None:
    for member, wheel in wheels.items():
        names = zipfile.ZipFile(wheel).namelist()

        assert "codex_proapi/__init__.py" not in names, member
        rooms = {name.split("/")[1] for name in names if name.startswith("codex_proapi/")}
        assert rooms == {PACKAGES.get(member, member.rpartition("/")[2])}


def test_one_compiled_wheel_serves_every_version_of_python(native: pathlib.Path) -> None:
    names = zipfile.ZipFile(native).namelist()

    assert "-cp311-abi3-" in native.name
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "codex_proapi_native"
    }
    assert {"py.typed", "_native.pyi", "__init__.py"} < {name.split("/")[-1] for name in names}


def test_no_two_members_have_the_same_file(wheels: dict[str, pathlib.Path]) -> None:
    names = [name for wheel in wheels.values() for name in zipfile.ZipFile(wheel).namelist()]

    assert len(names) == len(set(names))


def test_the_dockerfile_installs_these_members() -> None:
    text = (DEPLOY / "Dockerfile").read_text()

    for image, members in IMAGES.items():
        package = {"standalone": "local"}.get(image, image)
        line = ", ".join(f'"{word}"' for word in ("members", image, package, *members))
        installs = f'RUN ["sh", "deploy/image/install.sh", {line}]'
        assert f"COPY --from=native-build /wheels/ /wheels/\n{installs}" in text, image


@pytest.mark.parametrize("image", IMAGES)
def test_what_an_image_holds_can_be_imported_with_its_lock_alone(
    image: str,
    wheels: dict[str, pathlib.Path],
    native: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    uv = str(ROOT / ".venv" / "bin" / "uv")
    output(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    install = (uv, "pip", "install", "--quiet", "--python", python, "--no-deps")
    output(*install, "--require-hashes", "-r", ROOT / "locks" / f"{image}.txt", timeout=600)
    output(*install, *(wheels[member] for member in IMAGES[image]))
    packages = [PACKAGES.get(m, m.rpartition("/")[2]) for m in IMAGES[image]]
    names = [f"codex_proapi.{package}" for package in packages]

    assert not imports(python, names, tmp_path)
    output(*install, native)
    assert imports(python, [*names, "codex_proapi_native"], tmp_path)


def imports(python: pathlib.Path, names: list[str], folder: pathlib.Path) -> bool:
    """Import every module of some packages; whether compiled functions are in use then."""
    done = run(python, "-I", DEPLOY / "image" / "import_every_module.py", *names, cwd=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "imported" in done.stdout
    told = output(python, "-I", "-c", "from codex_proapi.commons.native import *; print(NATIVE)")
    return "in use" in told
