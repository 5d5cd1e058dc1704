from typing import Any

import pytest

from codex_proapi.console.texts.language import Language, choose_language


@pytest.mark.parametrize(
    ("cookie", "accept_language", "chosen"),
    [
        ("", "", Language.ENGLISH),
        ("", "de-DE,de;q=0.9", Language.ENGLISH),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", Language.CHINESE),
        ("", "ZH-tw", Language.CHINESE),
        ("", "fr, zh;q=0.5, en;q=0.4", Language.CHINESE),
        ("", "en;q=0.4, zh;q=0.5", Language.CHINESE),
        ("", "zh;q=0, en", Language.ENGLISH),
        ("", "zh;q=nonsense, en;q=0.1", Language.ENGLISH),
        ("", "zh;level=1", Language.CHINESE),
        ("zh-CN", "en", Language.CHINESE),
        ("en", "zh-CN", Language.ENGLISH),
        ("<script>", "zh-CN", Language.CHINESE),
    ],
)
def test_the_cookie_decides_then_the_browser_then_english(
    cookie: Any, accept_language: Any, chosen: Any
) -> None:
    assert choose_language(cookie=cookie, accept_language=accept_language) is chosen


def test_each_language_is_called_as_its_speakers_call_it() -> None:
    assert {each.own_name for each in Language} == {"English", "简体中文"}
    assert {each.locale for each in Language} == {"en", "zh_Hans_CN"}
