"""Cookies without a browser: who may set them, and where they go."""

from __future__ import annotations

import pytest

from crawler.net.cookie_jar import CookieJar, parse_cookie
from crawler.urls.url import parse_url

SHOP = parse_url("https://www.shop.example.com/a/b")


@pytest.mark.parametrize(
    ("line", "url", "sent"),
    [
        ("a=1", "https://www.shop.example.com/a/x", "a=1"),
        ("a=1", "https://www.shop.example.com/other", ""),
        ("a=1; Path=/", "https://shop.example.com/", ""),
        ("a=1; Path=/; Domain=example.com", "https://other.example.com/", "a=1"),
        ("a=1; Path=/; Domain=com", "https://www.shop.example.com/", ""),
        ("a=1; Path=/; Domain=other.org", "https://www.shop.example.com/", ""),
        ("a=1; Path=/; Secure", "http://www.shop.example.com/", ""),
        ("a=1; Path=/; Max-Age=0", "https://www.shop.example.com/", ""),
        ("a=1; Path=/; Expires=Thu, 01-Jan-1970 00:00:00 GMT", "https://www.shop.example.com/", ""),
        ("__Host-a=1; Path=/", "https://www.shop.example.com/", ""),
        ("a=1; Path=/a", "https://www.shop.example.com/ab", ""),
        ("word; Path=/", "https://www.shop.example.com/", "word"),
    ],
)
def test_a_cookie_goes_where_a_browser_sends_it(line, url, sent):
    jar = CookieJar()
    jar.take([line], SHOP)
    assert jar.header(parse_url(url)) == sent


def test_cookies_travel_to_chrome_and_back():
    cookie = parse_cookie("a=1; Path=/; Domain=example.com; HttpOnly; Max-Age=60", SHOP)
    jar = CookieJar()
    jar.put_from_chrome([cookie.for_chrome()])
    assert list(jar) == [cookie]
