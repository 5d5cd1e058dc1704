"""A refresh in place brings only what has changed."""

import importlib.resources
import re

from codex_proapi.console.layout.live_parts import (
    MOST_DIGESTS,
    changes_of,
    digests_in,
    with_digests,
)


def a_page(*rows: str, head: str = "3 keys", tail: str = "1-3 of 3", other: str = "ok") -> str:
    listed = "".join(f'<tr id="row-{row[0]}" class="x"><td>{row}</td></tr>' for row in rows)
    return (
        f'<title>Keys</title><aside data-live="pulse">{other}</aside><p>between</p>'
        f'<div class="list" data-live="keys">{head}<table>{listed}</table>{tail}</div></main>'
    )


def test_the_first_time_every_region_is_sent() -> None:
    html, digests = changes_of(a_page("a1", "b1"), ())

    assert "pulse" in html
    assert html.endswith("1-3 of 3</div>")
    assert "between" not in html
    assert len(digests) == len(set(digests)) == 4


def test_what_has_not_changed_is_not_sent_again() -> None:
    _, seen = changes_of(a_page("a1", "b1"), ())

    assert changes_of(a_page("a1", "b1"), seen) == ("", seen)


def test_of_a_list_only_the_changed_row_is_sent_whole() -> None:
    _, seen = changes_of(a_page("a1", "b1"), ())
    html, now = changes_of(a_page("a1", "b2"), seen)

    assert "b2" in html
    assert '<tr id="row-a" data-same></tr>' in html
    assert "pulse" not in html
    assert "a1" not in html
    assert changes_of(a_page("a1", "b2"), now).html == ""


def test_a_whole_page_tells_what_it_shows() -> None:
    page = f"<head><title>Keys</title></head><body>{a_page('a1', 'b1')}</body>"
    told = re.search(r'<meta name="live" content="([^"]+)">\n</head>', with_digests(page))

    assert told
    assert changes_of(a_page("a1", "b1"), digests_in(told[1])).html == ""
    assert "b2" in changes_of(a_page("a1", "b2"), digests_in(told[1])).html


def test_another_order_a_new_row_and_one_that_left_are_told() -> None:
    _, seen = changes_of(a_page("a1", "b1", "c1"), ())

    turned = changes_of(a_page("c1", "a1", "b1"), seen).html
    assert re.findall(r"row-(\w)", turned) == ["c", "a", "b"]
    assert "<td>" not in turned
    assert changes_of(a_page("a1", "c1"), seen).html.count("data-same") == 2
    assert changes_of(a_page("a1", "b1", "c1", "d1"), seen).html.count("<td>") == 1
    assert changes_of(a_page("a1", "b1", "c1", tail="1-3 of 9"), seen).html.count("data-same") == 3


def test_a_region_ends_with_its_element_also_where_others_of_its_kind_are_in_it() -> None:
    page = '<div><div data-live="a">1<div>2</div><div class="x">3</div></div><div>after</div></div>'

    assert changes_of(page, ()).html == (
        '<div data-live="a">1<div>2</div><div class="x">3</div></div>'
    )


def test_a_header_tells_a_bounded_number_of_digests() -> None:
    assert digests_in("1") == {"1"}
    assert digests_in("aa bb") == {"aa", "bb"}
    assert len(digests_in(" ".join(map(str, range(10_000))))) == MOST_DIGESTS


def test_regions_and_rows_are_of_elements_that_stand_alone() -> None:
    folder = importlib.resources.files("codex_proapi.console").joinpath("templates")
    with importlib.resources.as_file(folder) as templates:
        pages = {page.name: page.read_text() for page in templates.rglob("*.html")}

    regions = [tag for html in pages.values() for tag in re.findall(r"<(\w+)[^<]*data-live=", html)]
    rows = [tag for html in pages.values() for tag in re.findall(r'<(\w+)[^<>]*id="row-', html)]
    # The parser of a browser drops parts of tables that have no table around them.
    assert set(regions) <= {"aside", "div", "p", "section", "span"}
    assert set(rows) <= {"tr", "li"}
    assert len(regions) > 10
