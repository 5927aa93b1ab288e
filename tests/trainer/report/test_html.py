"""HTML pieces: whatever is not Html is escaped."""

from __future__ import annotations

import pytest

from trainer.report.html import Html, bar, element, number, percent, size, table


def test_text_and_attributes_are_escaped():
    assert element("p", "<b>&", title='"x"') == '<p title="&quot;x&quot;">&lt;b&gt;&amp;</p>'
    assert element("p", element("b", "<")) == "<p><b>&lt;</b></p>"
    assert element("p", Html("<i>")) == "<p><i></p>"


def test_attributes_that_are_false_or_none_are_left_out():
    assert element("input", type="checkbox", checked=True, class_=None, data_layer="a") == (
        '<input type="checkbox" checked data-layer="a">'
    )


def test_a_tables_cells_have_headings_of_their_row_and_column():
    made = table("What", ["name", "count"], [["<a>", "1"]], marked=0)
    assert '<th scope="col" class="number">count</th>' in made
    assert '<tr class="marked"><th scope="row" class="text">&lt;a&gt;</th><td class="number">1</td></tr>' in made


def test_a_row_of_another_length_is_an_error():
    with pytest.raises(ValueError):
        table("What", ["a", "b"], [["1"]])


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (number(1234567), "1,234,567"),
        (number(1234.5), "1,234.50"),
        (number(None), "–"),
        (number(float("nan")), "–"),
        (percent(0.1234), "12.3 %"),
        (percent(None), "–"),
        (size(12_345), "12.3 kB"),
        (size(12_345_678), "12.3 MB"),
    ],
)
def test_numbers_are_written_to_be_read(made, expected):
    assert made == expected


def test_a_bar_is_never_longer_than_its_cell():
    assert "--share:100.00%" in bar(250.0, most=100)
    assert "--share:50.00%" in bar(5.0, most=10)
    assert "--share:0.00%" in bar(0.0, most=0.0)
    assert "share" not in bar(None)
