"""What a URL means: the traps of the web, one row each."""

from __future__ import annotations

import random

import pytest
from w3lib.url import canonicalize_url

from crawler.urls.url import (
    DEFAULT_RULES,
    InvalidURL,
    Rules,
    domain_of,
    host_of,
    origin_of,
    parse_url,
    why_invalid,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://shop.example/a#top", "http://shop.example/a"),
        ("http://shop.example", "http://shop.example/"),
        ("HTTP://SHOP.Example/", "http://shop.example/"),
        ("http://shop.example:80/", "http://shop.example/"),
        ("https://shop.example:443/", "https://shop.example/"),
        ("http://shop.example:/", "http://shop.example/"),
        ("http://shop.example./", "http://shop.example/"),
        ("http://user:secret@shop.example/", "http://shop.example/"),
        ("http://shop.example/?b=2&a=1", "http://shop.example/?a=1&b=2"),
        ("http://shop.example/?b=2&a=1&a=0", "http://shop.example/?a=1&b=2&a=0"),
        ("http://shop.example/?search&page=1", "http://shop.example/?page=1&search"),
        ("http://shop.example/?q=ü", "http://shop.example/?q=%C3%BC"),
        ("http://shop.example/?a=1&&b=2&", "http://shop.example/?a=1&b=2"),
        ("http://shop.example/?", "http://shop.example/"),
        ("http://shop.example/%7ebob/%c3%bc", "http://shop.example/~bob/ü"),
        ("http://shop.example/a b", "http://shop.example/a%20b"),
        ("http://shop.example/a/../b/./c", "http://shop.example/b/c"),
        ("  http://shop.example/a\n", "http://shop.example/a"),
        ("http://shop.example/a\tb", "http://shop.example/ab"),
        ("http://shop.example\\a\\b", "http://shop.example/a/b"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://faß.example/", "http://xn--fa-hia.example/"),
        ("http://☃.example/", "http://xn--n3h.example/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://[0:0::1]/", "http://[::1]/"),
        ("http://shop.example/?utm_source=mail&id=7&gclid=x", "http://shop.example/?id=7"),
        ("http://shop.example/?UTM_Source=mail", "http://shop.example/"),
        ("http://shop.example/cart;jsessionid=0A1B?x=1", "http://shop.example/cart?x=1"),
        ("http://shop.example/(S(lit3py55t21z5v55vlm25s55))/cart", "http://shop.example/cart"),
        ("http://shop.example/?PHPSESSID=0a1b", "http://shop.example/"),
    ],
)
def test_one_page_by_two_urls_is_recognised(one, other):
    assert DEFAULT_RULES.canonical(one) == DEFAULT_RULES.canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://shop.example/?v=dQw4", "http://shop.example/?v=dqw4"),
        ("http://shop.example/Books", "http://shop.example/books"),
        ("http://shop.example/a", "http://shop.example/a/"),
        ("http://shop.example/", "https://shop.example/"),
        ("http://shop.example/", "http://shop.example:8080/"),
        ("http://shop.example/", "http://www.shop.example/"),
        ("http://shop.example/?a=1&a=2", "http://shop.example/?a=1"),
        ("http://shop.example/?a=1&a=2", "http://shop.example/?a=2&a=1"),
        ("http://shop.example/?a=1&a=1", "http://shop.example/?a=1"),
        ("http://shop.example/?a=1&b=2&a=1", "http://shop.example/?a=1&b=2"),
        ("http://shop.example/?ü=1&%C3%BC=2", "http://shop.example/?ü=2&%C3%BC=1"),
        ("http://shop.example/?2&1", "http://shop.example/?1&2"),
        ("http://shop.example/?1&1", "http://shop.example/?1"),
        ("http://shop.example/?sid=1", "http://shop.example/?sid=2"),
        ("http://shop.example/a%2Fb", "http://shop.example/a/b"),
        ("http://shop.example/?a=1%262", "http://shop.example/?a=1&2"),
        ("http://shop.example/a;v=1", "http://shop.example/a;v=2"),
    ],
)
def test_two_pages_are_not_taken_for_one(one, other):
    assert DEFAULT_RULES.canonical(one) != DEFAULT_RULES.canonical(other)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("javascript:alert(1)", "scheme"),
        ("mailto:bob@shop.example", "scheme"),
        ("data:text/html,hello", "scheme"),
        ("tel:+41", "scheme"),
        ("ftp://shop.example/", "scheme"),
        ("about:blank", "scheme"),
        ("blob:https://shop.example/1", "scheme"),
        ("//shop.example/", "scheme"),
        ("/a", "scheme"),
        ("", "scheme"),
        ("shop.example", "scheme"),
        ("http:shop.example", "malformed"),
        ("http://", "malformed"),
        ("http:///a", "malformed"),
        ("http://?a", "malformed"),
        ("http://a..example/", "malformed"),
        ("http://.example/", "malformed"),
        ("http://a b.example/", "malformed"),
        ("http://a%00b.example/", "malformed"),
        ("http://a%ff.example/", "malformed"),
        ("http://a<b.example/", "malformed"),
        ("http://" + "a" * 64 + ".example/", "malformed"),
        ("http://" + "a." * 127 + "example/", "malformed"),
        ("http://" + "ü" * 80 + ".example/", "malformed"),
        ("http://[::1/", "malformed"),
        ("http://[::1]x/", "malformed"),
        ("http://[fe80::1%25eth0]/", "malformed"),
        ("http://[zz]/", "malformed"),
        ("http://1.2.3.4.5/", "malformed"),
        ("http://256.1.1.1/", "malformed"),
        ("http://4294967296/", "malformed"),
        ("http://09.1/", "malformed"),
        ("http://shop.0x/", "malformed"),
        ("http://shop.example:99999/", "port"),
        ("http://shop.example:abc/", "port"),
        ("http://shop.example:8०/", "port"),  # noqa: RUF001 -- a digit, but none of ours
        ("http://shop.example/\ud800", "characters"),
        ("http://shop.example/a\0b", "characters"),
        ("http://shop.example/\x7f", "characters"),
        ("http://shop.example/" + "a" * 2_083, "length"),
        ("http://shop.example/?" + "a" * 50_000, "length"),
    ],
)
def test_a_url_that_cannot_be_fetched_is_refused_with_a_reason(url, reason):
    assert why_invalid(url) == reason
    with pytest.raises(InvalidURL):
        DEFAULT_RULES.canonical(url)


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.0.0.0x1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127。0。0。1", "127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),  # noqa: RUF001 -- wide digits are the point
        ("%31%32%37.0.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("[::FFFF:127.0.0.1]", "::ffff:7f00:1"),
        ("[::ffff:7f00:1]", "::ffff:7f00:1"),
    ],
)
def test_an_address_is_read_as_chrome_reads_it(spelling, address):
    assert host_of(f"http://{spelling}/") == address


def test_the_host_is_what_comes_before_the_first_slash_of_any_kind():
    assert host_of("http://good.example\\@evil.example/") == "good.example"
    assert host_of("http://good.example@evil.example/") == "evil.example"
    assert host_of("http://good.example/@evil.example/") == "good.example"
    assert host_of("http://good.example?@evil.example/") == "good.example"
    assert host_of("http://good.example#@evil.example/") == "good.example"


def test_a_page_is_fetched_by_its_url_as_found_without_the_fragment():
    address = parse_url(" http://Shop.example:80/A?utm_source=x&b=1#reviews ")
    assert Rules().target(address) == "http://Shop.example:80/A?utm_source=x&b=1"


def test_an_app_that_routes_by_fragment_may_keep_it():
    rules = Rules(keep_fragment=True)
    assert rules.canonical("http://app.example/#/a") != rules.canonical("http://app.example/#/b")
    assert rules.canonical("http://app.example/?b=1&a=1#/a") == "http://app.example/?a=1&b=1#/a"
    assert rules.target(parse_url("http://app.example/#/a")) == "http://app.example/#/a"


def test_tracking_parameters_count_if_the_author_says_so():
    url = "http://shop.example/a;jsessionid=1?gclid=2"
    assert Rules(ignore_tracking=False).canonical(url) == url


def test_an_author_may_name_parameters_that_make_no_difference():
    rules = Rules(ignore_params=("sort", "view_*"))
    assert (
        rules.canonical("http://shop.example/?sort=price&view_mode=grid&id=1")
        == "http://shop.example/?id=1"
    )


def test_lanes_hold_no_colon():
    assert (
        parse_url("http://shop.example/").lane
        == parse_url("https://shop.example/").lane
        == "shop.example"
    )
    assert parse_url("http://shop.example:8080/").lane == "shop.example_8080"
    assert ":" not in parse_url("http://[::1]:8080/").lane


def test_origin_and_domain():
    assert origin_of("https://user@Books.shop.co.uk:443/x") == "https://books.shop.co.uk"
    assert origin_of("http://[::1]:8080/x") == "http://[::1]:8080"
    assert domain_of("books.shop.co.uk") == "shop.co.uk"
    assert domain_of("localhost") == "localhost"
    assert domain_of("127.0.0.1") == "127.0.0.1"


def test_parameters_that_are_there_once_are_written_as_by_w3lib():
    dice, rules = random.Random(7), Rules(ignore_tracking=False)
    for _ in range(5_000):
        path = "/" + "".join(dice.choice("ab/./-~_A%20;(é") for _ in range(dice.randrange(8)))
        query = "".join(dice.choice("ab==&&-.+ 1%C") for _ in range(dice.randrange(14)))
        url = f"http://shop.example{path}{'?' + query if query else ''}"
        head, _, tail = canonicalize_url(url).partition("?")
        form = rules.canonical(url)
        assert form.partition("?")[0] == head, url
        assert rules.canonical(form) == form, url
        names = [pair.partition("=")[0] for pair in tail.split("&")]
        words = [pair for pair in query.split("&") if pair and "=" not in pair]
        if len(names) == len(set(names)) and len(words) < 2:
            assert sorted(form.partition("?")[2].split("&")) == sorted(tail.split("&")), url


def test_no_text_whatever_makes_it_fail():
    dice = random.Random(11)
    pieces = [
        "http://",
        "https:",
        "//",
        "a",
        ".",
        "example",
        ":",
        "80",
        "/",
        "\\",
        "@",
        "?",
        "#",
        "[",
        "]",
        "%",
        "%zz",
        "%00",
        "\0",
        "\ud800",
    ]
    pieces += [
        "é",
        "☃",
        "。",
        "xn--",
        "0x",
        "1",
        "&",
        "=",
        ";",
        " ",
        "\t",
        "\n",
        "(S(",
        "))",
        "\u202e",
        "\U0001f600",
        "ß",
        "\xad",
    ]
    for _ in range(20_000):
        text = dice.choice(["", "http://", "http://a.example"]) + "".join(
            dice.choices(pieces, k=dice.randrange(9))
        )
        try:
            form = DEFAULT_RULES.canonical(text)
        except InvalidURL:
            continue
        assert DEFAULT_RULES.canonical(form) == form, ascii(text)
        form.encode("ascii")
