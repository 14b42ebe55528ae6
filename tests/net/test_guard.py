"""A crawl of the public web is not led into the network that it is crawled from."""

from __future__ import annotations

import socket

import pytest

from crawler.net.guard import Guard, PrivateAddress, private_entries
from crawler.urls.addresses import is_private_host
from crawler.urls.url import host_of

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.7"


class Names:
    """A resolver that knows a few names, and counts."""

    def __init__(self, **known: list[str]) -> None:
        self.known = {name.replace("_", "."): addresses for name, addresses in known.items()}
        self.asked: list[str] = []

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self.known[host]


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "127.255.1.2",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
        ),
        *(
            "100.64.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
        ),
        *(
            "2130706433",
            "0x7f.1",
            "0177.1",
            "017700000001",
            "127.1",
            "0xA9FEA9FE",
            "127。0。0。1",
            "%31%32%37.1",
            "127.0.0.1.",
        ),
        *(
            "[::1]",
            "::1",
            "[::]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd12:3456::1]",
            "[ff02::1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:7f00:1]",
        ),
        *(
            "[::127.0.0.1]",
            "[64:ff9b::10.0.0.1]",
            "[2002:7f00:1::]",
            "[2001:db8::1]",
            "[::ffff:0:127.0.0.1]",
        ),
        *(
            "localhost",
            "LOCALHOST",
            "localhost.",
            "api.localhost",
            "[fe80::1%25eth0]",
            "not a host",
            "",
        ),
    ],
)
def test_a_private_address_is_known_in_any_spelling(host):
    assert is_private_host(host) is True


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8",
        "134744072",
        "0x8080808",
        "[2606:4700::1111]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::8.8.8.8]",
    ],
)
def test_a_public_address_is_known_too(host):
    assert is_private_host(host) is False


def test_a_name_is_left_to_the_resolver():
    assert is_private_host("shop.example.com") is None
    assert is_private_host("localhost.example.com") is None


def test_a_public_crawl_is_refused_a_name_with_a_private_address():
    guard = Guard(
        ["shop.com"],
        resolve=Names(
            shop_com=[PUBLIC], evil_com=[PUBLIC, PRIVATE], v6_com=["fe80::1%eth0"], ok_com=[PUBLIC]
        ),
    )
    assert not guard.refuses("shop.com")
    assert not guard.refuses("ok.com")
    assert guard.refuses("evil.com")
    assert guard.refuses("v6.com")
    assert guard.refuses(host_of("http://0x7f.1/"))
    assert guard.refuses("localhost")


def test_a_crawl_that_starts_on_a_private_address_may_on_that_host():
    names = Names(wiki_corp_com=[PRIVATE], files_corp_com=["10.0.0.8"])
    entries = ["wiki.corp.com", "127.0.0.1"]
    guard = Guard(entries, private_entries=private_entries(entries, names), resolve=names)
    assert not guard.refuses("wiki.corp.com")
    assert not guard.refuses("127.0.0.1")
    assert guard.refuses("files.corp.com")
    assert guard.refuses("127.0.0.2")


def test_a_name_begins_private_only_if_all_its_addresses_are():
    names = Names(
        corp_com=[PRIVATE, "fd00::1"],
        both_com=[PUBLIC, "127.0.0.1"],
        none_com=[],
        shop_com=[PUBLIC],
    )
    hosts = ["corp.com", "both.com", "none.com", "gone.com", "shop.com", "localhost", "8.8.8.8"]
    assert private_entries(hosts, names) == {"corp.com", "localhost"}


def test_no_guard_decides_anew_what_began_private():
    # Given names of entries that are private now, and a crawl that was created when they were not
    names = Names(shop_com=["127.0.0.1"])
    guard = Guard(["shop.com"], resolve=names)
    # Then no look-up makes them allowed
    assert guard.refuses("shop.com")
    with pytest.raises(PrivateAddress):
        guard.addresses("shop.com")
    with pytest.raises(PrivateAddress):
        guard.addresses("shop.com", for_page=True)
    # Until a crawl of this name was created when they were
    guard.learn(7, ["shop.com", "other.com"])
    assert guard.addresses("shop.com") == ("127.0.0.1",)
    assert guard.private_hosts == {"shop.com"}
    guard.learn(8, [])
    assert guard.refuses("shop.com")


def test_an_author_may_allow_further_private_hosts():
    names = Names(files_corp_com=[PRIVATE])
    assert not Guard(["wiki.corp.com"], ["files.corp.com"], resolve=names).refuses("files.corp.com")


def test_an_entry_that_was_public_and_becomes_private_is_refused():
    now, names = [0.0], Names(shop_com=[PUBLIC])
    guard = Guard(["shop.com"], resolve=names, ttl=60, clock=lambda: now[0])
    assert not guard.refuses("shop.com")
    names.known["shop.com"] = [PRIVATE]
    now[0] = 61
    assert guard.refuses("shop.com")


def test_a_name_is_resolved_rarely_and_few_answers_are_kept():
    now, names = [0.0], Names(shop_com=[PUBLIC])
    guard = Guard(["shop.com"], resolve=names, ttl=60, size=2, clock=lambda: now[0])
    for _ in range(3):
        guard.refuses("shop.com")
    assert names.asked == ["shop.com"]
    for name in ("a.com", "b.com", "c.com"):
        guard.refuses(name)
    guard.refuses("shop.com")
    assert names.asked.count("shop.com") == 2


def test_a_name_that_does_not_resolve_is_left_to_chrome():
    assert not Guard(["shop.com"], resolve=Names()).refuses("gone.com")
