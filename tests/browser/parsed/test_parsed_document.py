"""A document that came by HTTP: its text, its links, its encoding, without a browser."""

from __future__ import annotations

import pytest

from crawler.browser.http.charsets import decoded
from crawler.browser.http.hard_documents import hard_reason
from crawler.browser.http.parsed_document import ParsedDocument
from crawler.browser.http.visible_text import TooDeep, visible_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a\n b</p><p>c</p>", "a b\n\nc"),
        ("<div>a <b> b</b> c</div>d", "a b c\nd"),
        ("a<br> b", "a\nb"),
        ("<table><tr><td>1<td>2<tr><td>3<td>4</table>", "1\t2\n3\t4"),
        ("a<script>x</script><style>y</style><template>z</template><noscript>n</noscript>b", "ab"),
        ("a<p hidden>b</p><i style='display: none'>c</i>", "a"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("a <img> b", "a  b"),
        ("<details><summary>s</summary>closed</details>", "s"),
        ("<ul><li>a<li>b</ul>", "a\nb"),
    ],
)
def test_text_is_what_readers_see(html, text):
    document = ParsedDocument(f"<!doctype html><body>{html}", "http://x.example/")
    assert visible_text(document.first("body")) == text


def test_links_are_those_that_a_browser_finds():
    html = """<base href="/deep/"><a href="x?ä b#f" rel="nofollow  me"> one  <b>two</b></a>
        <a href="x?ä b#g">three</a><a href="mailto:a@b">m</a><a href="http://[">broken</a>
        <noscript><a href=/unseen>n</a></noscript><template><a href=/inert>t</a></template>
        <iframe src=/frame title=f></iframe><area href=//other.example/>"""
    document = ParsedDocument(html, "http://x.example/page")
    links = document.links(10, fragments=False, frames=True)
    assert [(link.url, link.rel, link.text) for link in links] == [
        ("http://x.example/deep/x?%C3%A4%20b", "nofollow me", "one two"),
        ("http://x.example/deep/x?%C3%A4%20b", "", "three"),
        ("http://other.example/", "", ""),
        ("http://x.example/frame", "iframe", "f"),
    ]


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"\xef\xbb\xbf\xc3\xa4", "text/html; charset=latin1", "ä"),
        (b"\xe4\x80", "text/html; charset=iso-8859-1", "ä€"),
        (b"<meta charset=shift_jis>\x83\x41", "text/html", "<meta charset=shift_jis>ア"),
        (b"<meta charset=utf-16>\xc3\xa4", None, "<meta charset=utf-16>ä"),
    ],
)
def test_bytes_are_read_by_mark_header_and_declaration(body, kind, text):
    assert decoded(body, kind)[0] == text


def test_an_encoding_that_only_a_guess_can_tell_is_not_named():
    assert decoded(b"\xc3\xa4", "text/html")[1] == ""


def test_a_document_nested_too_deep_is_left_to_chrome():
    with pytest.raises(TooDeep):
        ParsedDocument("<div>" * 5_000 + "x", "http://x.example/").text()


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<div>" * 20_000, "deep nesting"),
        ("<p><div></div>" * 20_000, ""),
        ("<ul><li>x</ul>" * 20_000, ""),
        (f"<a {' '.join(f'a{n}' for n in range(6_000))}>x</a>", "an element with many attributes"),
        (f"<img src='data:image/png;base64,{'x' * 200_000}'>", ""),
    ],
)
def test_documents_that_take_the_parser_for_ever_are_not_parsed(html, reason):
    assert hard_reason(f"<!doctype html><body>{html}") == reason


@pytest.mark.parametrize(("levels", "reason"), [(509, ""), (600, "deep nesting")])
def test_a_document_nested_deeper_than_chrome_nests_is_left_to_it(levels, reason):
    html = f"<!doctype html><body>{'<div>' * levels}x"
    assert ParsedDocument(html, "http://x.example/").differs == reason


@pytest.mark.parametrize(
    ("html", "css", "text"),
    [
        ("a\x0cb \n c", "body", "a\x0cb c"),
        ("<svg><title>one</title><text>two</text></svg>", "svg", "onetwo"),
    ],
)
def test_the_text_of_what_is_odd_is_that_of_chrome(html, css, text):
    document = ParsedDocument(f"<!doctype html><body>{html}", "http://x.example/")
    assert visible_text(document.first(css)) == text


def test_a_title_keeps_white_space_that_is_not_of_ascii():
    document = ParsedDocument("<title> a\n\u2028\u00a0 b </title>", "http://x.example/")
    assert document.title == "a \u2028\u00a0 b"
