"""Texts of pages become numbers, dates and addresses, or have a named reason."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.definition.selectors.typed_values import Misfit, day, integer, number, text, url

NUMBERS = {
    "12": 12, "12.99": 12.99, "12,99": 12.99, "12,99 €": 12.99, "€ 12.99": 12.99, "12€99": 12.99,
    "1.234,56": 1234.56, "1,234.56": 1234.56, "1 234,56": 1234.56, "1'234.50": 1234.5,
    "1\u2019234": 1234,
    "1.234": 1234, "1,234": 1234, "1.234.567": 1234567, "1,23,456.78": 123456.78,
    "1234.567": 1234.567, "0.234": 0.234, "0,5": 0.5, "12.5000": 12.5, "$.99": 0.99, ",5": 0.5,
    "from £12.50": 12.5, "£12.50 \u2013 £15.00": 12.5, "3 for £10": 10, "2 x 4,50 EUR": 4.5,
    "USD 1,000": 1000, "Rs.500": 500, "\u22125 °C": -5, "-3": -3, "(-3)": -3, "-£5": -5, "£-5": -5,
    "10-20": 10, "A-4": 4, "20%": 20, "4/5": 4,
    "12.\u2013": 12, "5 stars": 5, "1e3": 1000, "12kg": 12,
    "12,5 km": 12.5, "15m": 15, "1 23": 1, "Vol. 7": 7, "7.": 7, "٤٢": 42, "0": 0, "-0.5": -0.5,
}  # fmt: skip


@pytest.mark.parametrize("written", NUMBERS)
def test_a_number_is_read_as_people_write_it(written):
    assert number(written) == NUMBERS[written]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "no_number"),
        ("sold out", "no_number"),
        ("½", "no_number"),
        ("1.2k", "short_number"),
        ("€3 million", "short_number"),
        ("5 Mio. €", "short_number"),
        ("12.05.2024", "unclear_number"),
        ("1.2.3", "unclear_number"),
        ("10:30", "unclear_number"),
        ("1,2,3", "unclear_number"),
        ("1,234.5,6", "unclear_number"),
        ("9" * 100, "unclear_number"),
        ("1e999", "unclear_number"),
    ],
)
def test_what_is_no_number_for_sure_has_a_reason(written, reason):
    with pytest.raises(Misfit, match=reason):
        number(written)


def test_the_decimal_mark_can_be_said():
    assert number("1.234", ".") == 1.234
    assert number("1.234", ",") == 1234
    assert number("1,234", ",") == 1.234
    assert number("1.234,5", ",") == 1234.5
    with pytest.raises(Misfit, match="unclear_number"):
        number("12.99", ",")


@pytest.mark.parametrize(
    ("written", "value"), [("(1,234 reviews)", 1234), ("12.0", 12), (5.0, 5), (7, 7)]
)
def test_a_whole_number_has_no_fraction(written, value):
    assert integer(written) == value
    assert type(integer(written)) is int


@pytest.mark.parametrize(
    ("written", "reason"),
    [("1.5", "no_integer"), (2.5, "no_integer"), (True, "no_number"), (2**70, "unclear_number")],
)
def test_what_is_no_whole_number_has_a_reason(written, reason):
    with pytest.raises(Misfit, match=reason):
        integer(written)


@given(st.decimals(0, 10**9, places=2), st.sampled_from([".,", ",.", " ,", "'.", " ."]))
def test_a_price_with_cents_is_read_back_however_it_is_written(amount, marks):
    group, decimal = marks
    written = f"{amount:,.2f}".replace(",", "g").replace(".", decimal).replace("g", group)
    assert number(f"now {written} €") == float(amount)


@given(st.text(max_size=80))
def test_any_text_is_a_number_or_has_a_reason(written):
    for read in (number, integer, day):
        with suppress(Misfit):
            assert str(read(written))


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-29",
        "Published: 2026-11-29T23:30:00+02:00",
        "20261129T143300Z",
        "20261129",
        "2026/11/29",
        "2026年11月29日",
        "29 November 2026",
        "Sun, 29 Nov 2026 14:33:00 GMT",
        "29-Nov-2026",
        "November 29th, 2026",
        "Nov. 29, 2026",
        "Sonntag, 29. November 2026",
        "29 de noviembre de 2026",
        "29 novembre 2026",
        "29.11.2026",
        "29/11/2026",
        "11/29/2026",
        "29-11-2026",
    ],
)
def test_a_date_that_leaves_no_doubt_is_read(written):
    assert day(written) == "2026-11-29"


def test_months_have_their_names_of_several_languages():
    assert day("1er août 2026") == "2026-08-01"
    assert day("3. März 2026") == "2026-03-03"
    assert day("5 gennaio 2026") == "2026-01-05"
    assert day("5 maart 2026") == "2026-03-05"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("tomorrow", "no_date"),
        ("31.02.2026", "no_date"),
        ("2026-13-01", "no_date"),
        ("29 Brumaire 2026", "no_date"),
        ("05/06/2026", "unclear_date"),
        ("1.2.26", "unclear_date"),
        (3, "no_date"),
    ],
)
def test_what_is_no_date_for_sure_has_a_reason(written, reason):
    with pytest.raises(Misfit, match=reason):
        day(written)


def test_the_form_of_a_date_can_be_said():
    assert day("05/06/2026", "%d/%m/%Y") == "2026-06-05"
    assert day("05/06/26", "%m/%d/%y") == "2026-05-06"
    with pytest.raises(Misfit, match="no_date"):
        day("2026-06-05", "%d/%m/%Y")


@given(st.integers(0, 40_000))
def test_every_day_is_read_back(number_of_day):
    one = date(1970, 1, 1) + timedelta(number_of_day)
    for form in ("%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d.%m.%Y", "%Y%m%d"):
        assert day(one.strftime(form)) == one.isoformat()


def test_an_address_is_made_absolute():
    assert url("../p?x=1", "https://a.example/b/c") == "https://a.example/p?x=1"
    assert url({"url": "x"}, "https://a.example/b/c") == "https://a.example/b/x"
    for written in ("javascript:void(0)", "mailto:a@b.c", "data:,x", "http://[", 3, {"a": "b"}):
        with pytest.raises(Misfit, match="no_url"):
            url(written, "https://a.example/")


def test_a_text_is_made_of_numbers_too():
    assert [text(value) for value in ("a", 3, 2.5, True)] == ["a", "3", "2.5", "true"]
