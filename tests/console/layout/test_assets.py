import gzip
import hashlib
import importlib.resources
import pathlib
from typing import Any

import pytest

from codex_proapi.console.layout.assets import Asset, Assets, assets


def test_every_file_is_served_with_its_type(tmp_path: pathlib.Path) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "js/a.js").write_text("export {};")
    (tmp_path / "notes.md").write_text("not for browsers")

    found = Assets(tmp_path)

    assert found.get("js/a.js") == Asset(
        content=b"export {};",
        compressed=None,
        content_type="text/javascript",
        etag=hashlib.sha256(b"export {};").hexdigest()[:16],
    )
    assert found.get("notes.md") is None
    assert found.get("../assets.py") is None
    assert found.url("js/a.js") == f"/static/{found.build}/js/a.js"
    assert repr(found) == f"<Assets {found.build}, 1 files>"


def test_an_address_of_a_file_that_is_not_there_is_a_fault_of_the_template(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(KeyError):
        Assets(tmp_path).url("js/none.js")


def test_any_change_changes_every_address(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    before = Assets(tmp_path).build
    words = Assets(tmp_path, beside=b"other words").build
    (tmp_path / "a.css").write_text("b {}")

    assert len({before, words, Assets(tmp_path).build}) == 3


def test_large_files_are_compressed_once() -> None:
    asset = Asset.of("a.css", b"a { color: red } " * 100)

    assert asset.compressed is not None
    assert gzip.decompress(asset.compressed) == asset.content


def test_what_compressing_does_not_shrink_is_sent_as_it_is() -> None:
    noise = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(100))

    assert Asset.of("a.png", noise).compressed is None


def test_only_scripts_every_page_needs_are_fetched_ahead() -> None:
    assert "js/app.js" in assets().scripts()
    assert not any(name.startswith("js/pages/") for name in assets().scripts())


def test_vendored_files_are_those_whose_checksums_were_noted() -> None:
    folder = importlib.resources.files("codex_proapi.console").joinpath("static/vendor")
    noted = dict(
        line.split()[::-1] for line in folder.joinpath("checksums.txt").read_text().splitlines()
    )
    real = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in pathlib.Path(str(folder)).iterdir()
        if file.name != "checksums.txt"
    }

    assert noted == real


def test_styles_scripts_and_templates_hold_nothing_inline_and_nothing_from_outside() -> None:
    console = pathlib.Path(str(importlib.resources.files("codex_proapi.console")))
    for template in console.glob("templates/**/*.html"):
        text = template.read_text()
        assert " style=" not in text, template
        assert " onclick" not in text, template
        assert "<style" not in text, template
        assert text.count("<script") == text.count('<script type="module" src='), template
    for script in console.glob("static/js/**/*.js"):
        text = script.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "new Function"):
            assert word not in text, (script, word)


@pytest.mark.parametrize(
    "path",
    [
        path
        for kind in ("css/*.css", "js/**/*.js")
        for path in sorted(
            pathlib.Path(str(importlib.resources.files("codex_proapi.console"))).glob(
                f"static/{kind}"
            )
        )
    ],
    ids=lambda path: path.name,
)
def test_our_own_files_stay_short(path: Any) -> None:
    assert len(path.read_text().splitlines()) <= 300
