import importlib.resources
import re
from typing import Any

import jinja2
import pytest

from codex_proapi.console.layout.preferences import Preferences, Theme
from codex_proapi.console.layout.rendering import FULL_WIDTH, environment, render
from codex_proapi.console.texts.catalogue import texts_of
from codex_proapi.console.texts.language import Language

ENGLISH, CHINESE = environment(Language.ENGLISH), environment(Language.CHINESE)


def _said(text: str, *, environment: jinja2.Environment = ENGLISH, **context: Any) -> str:
    return environment.from_string(text).render(**context)


FOLLOWED = re.compile(r'\{\{ _\("([^"]+)"\) \}\}(?:</[a-z]+>)* (?=\{\{|\{%|<)')


def test_no_space_stands_after_full_width_punctuation() -> None:
    templates = importlib.resources.files("codex_proapi.console").joinpath("templates")
    texts = texts_of(Language.CHINESE)
    with importlib.resources.as_file(templates) as folder:
        spaced = [
            (page.name, message)
            for page in folder.rglob("*.html")
            for message in FOLLOWED.findall(page.read_text())
            if texts.gettext(message).endswith(FULL_WIDTH)
        ]

    assert spaced == [], "the filter `lead` knows when a space follows"


def test_what_a_template_is_given_is_escaped() -> None:
    hostile = "<img src=x onerror=alert(1)>\"'"

    assert "<img" not in _said("{{ x }}", x=hostile)
    assert "<img" not in _said('{{ _("Remove %(name)s?", name=x) }}', x=hostile)


def test_a_percent_sign_of_a_text_is_told_with_values_and_without() -> None:
    for _ in range(2):
        assert _said('{{ _("100 %% of <b>") }}') == "100 % of <b>"
        assert _said('{{ _("100 %% of %(x)s", x="<b>") }}') == "100 % of &lt;b&gt;"


def test_a_name_nobody_gave_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        _said("{{ missing }}")


def test_words_are_in_the_environments_language() -> None:
    assert _said('{{ _("Accounts") }}', environment=CHINESE) == "账号"
    assert _said('{{ ngettext("%(num)s day", "%(num)s days", 1) }}') == "1 day"
    assert _said('{{ ngettext("%(num)s day", "%(num)s days", 3) }}', environment=CHINESE) == "3 天"


@pytest.mark.parametrize(
    ("text", "english", "chinese"),
    [
        ('{{ _("Terms of use.") | lead }}x', "Terms of use. x", "使用条款。x"),
        ('{{ _("Accounts") | lead }}x', "Accounts x", "账号 x"),
        ('{{ "<b>" | lead }}x', "&lt;b&gt; x", "&lt;b&gt; x"),
        ("{{ 1234567 | number }}", "1,234,567", "1,234,567"),
        ("{{ 1234567 | compact }}", "1.2M", "123.5万"),
        ("{{ 9999 | compact }}", "9,999", "9,999"),
        ("{{ 61.6 | percent }}", "62%", "62%"),
        ("{{ 1.25 | exact }}", "1.2", "1.2"),
        ("{{ 0 | duration }}", "0 ms", "0 毫秒"),
        ("{{ 24 | duration }}", "24 ms", "24 毫秒"),
        ("{{ 999.4 | duration }}", "999 ms", "999 毫秒"),
        ("{{ 999.6 | duration }}", "1 sec", "1 秒"),
        ("{{ 1250 | duration }}", "1.2 sec", "1.2 秒"),
        ("{{ 42400 | duration }}", "42 sec", "42 秒"),
        ("{{ 210000 | duration }}", "3.5 min", "3.5 分钟"),
        ("{{ 0 | at }}", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        (
            '{{ "no_accounts" | fault }}',
            "There is no account that could answer.",
            "没有可以回答的账号。",
        ),
        (
            '{{ "no_accounts" | cure }}',
            "Add an account, or resume a paused one.",
            "请添加账号，或恢复已暂停的账号。",
        ),
        ('{{ "unheard_of" | fault }}', "", ""),
        ('{{ "internal_of_nobody" | cure }}', "", ""),
    ],
)
def test_figures_times_and_codes_are_told_in_both_languages(
    text: Any, english: Any, chinese: Any
) -> None:
    assert _said(text) == english
    assert _said(text, environment=CHINESE) == chinese


@pytest.mark.parametrize("theme", list(Theme))
def test_the_theme_is_in_the_page_so_that_nothing_flashes(theme: Any) -> None:
    preferences = Preferences(theme=theme)

    html = render(
        "failure.html", preferences, page="x", csrf="", code="internal", status=500, request_id="r"
    )

    assert f'data-theme="{theme.value}"' in html
    assert '<html lang="en"' in html
