import re
from typing import Any

import msgspec
import pytest

from codex_proapi.console.texts.catalogue import texts_of
from codex_proapi.console.texts.language import Language
from codex_proapi.console.texts.phrases import FAULTS


def _table(language: Language, name: str) -> dict[str, Any]:
    script = texts_of(language).script().decode()
    found = re.search(rf"^export const {name} = (.*);$", script, flags=re.MULTILINE)
    assert found
    return msgspec.json.decode(found[1], type=dict[str, Any])


def test_english_stands_in_the_source() -> None:
    assert texts_of(Language.ENGLISH).gettext("Add account") == "Add account"
    assert texts_of(Language.ENGLISH).ngettext("%(num)s day", "%(num)s days", 2) == "%(num)s days"


def test_chinese_comes_from_the_catalogue() -> None:
    assert texts_of(Language.CHINESE).gettext("Add account") == "添加账号"
    assert texts_of(Language.CHINESE).ngettext("%(num)s day", "%(num)s days", 1) == "%(num)s 天"


def test_scripts_get_their_messages_and_no_others() -> None:
    messages = _table(Language.CHINESE, "messages")

    assert messages["Copied"] == "已复制"
    assert messages["%(num)s new entry"] == ["%(num)s 条新记录"]
    assert "Three steps to the first answer" not in messages
    assert _table(Language.ENGLISH, "messages") == {}


@pytest.mark.parametrize("language", list(Language))
def test_scripts_get_the_sentences_of_every_code(language: Language) -> None:
    faults = _table(language, "faults")

    assert faults.keys() == FAULTS.keys()
    assert all(isinstance(what, str) and what for what, _ in faults.values())


def test_a_catalogue_is_read_once_and_says_which_it_is() -> None:
    assert texts_of(Language.CHINESE) is texts_of(Language.CHINESE)
    assert repr(texts_of(Language.CHINESE)) == "<Texts zh-CN>"
