"""What is public, by the registries of IANA: both sides of every edge, on every Python."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from crawler.urls.addresses import is_private_address, is_private_host

#: The first and the last address of each range that is not public. The ones just before and
#: just after it are public.
IPV4 = [
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("168.63.129.16", "168.63.129.16"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "255.255.255.255"),
]
IPV6 = [
    ("2001::", "2001:2:ffff:ffff:ffff:ffff:ffff:ffff"),  # then AMT
    ("2001:4::", "2001:4:111:ffff:ffff:ffff:ffff:ffff"),  # then AS112
    ("2001:4:113::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002:a00::", "2002:aff:ffff:ffff:ffff:ffff:ffff:ffff"),  # 10.0.0.0/8 by 6to4
    ("2002:7f00::", "2002:7fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002:a9fe::", "2002:a9fe:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("64:ff9b::a00:0", "64:ff9b::aff:ffff"),  # 10.0.0.0/8 by NAT64
    ("64:ff9b::a83f:8110", "64:ff9b::a83f:8110"),
    ("::ffff:7f00:0", "::ffff:7fff:ffff"),
    ("::ffff:c0a8:0", "::ffff:c0a8:ffff"),
    ("::7f00:0", "::7fff:ffff"),
]
#: Special addresses within these ranges, each with its name in the registries.
PRIVATE = {
    "192.0.0.9": "PCP anycast", "192.0.0.10": "TURN anycast", "192.0.0.170": "NAT64 discovery",
    "192.0.0.192": "metadata of a cloud", "100.100.100.200": "metadata of a cloud",
    "255.255.255.255": "broadcast", "239.255.255.250": "SSDP",
    "::": "unspecified", "::1": "loopback", "100::": "discard", "100:0:0:1::1": "dummy prefix",
    "5f00::1": "SRv6", "fc00::": "unique local", "fd00:ec2::254": "metadata of a cloud",
    "fe80::1": "link-local", "fe80::1%eth0": "link-local", "febf::1": "link-local",
    "fec0::1": "site-local", "feff::1": "site-local", "ff02::1": "multicast",
    "64:ff9b:1::808:808": "NAT64 of a network's own", "::ffff:0:808:808": "translated",
    "2001:0:808:808::1": "Teredo", "2001:1::1": "PCP anycast", "2001:10::1": "ORCHID",
    "2001:20::1": "ORCHIDv2", "2001:30::1": "DET", "2001:2::1": "benchmarks",
    "2606:4700::5efe:7f00:1": "ISATAP", "2606:4700::200:5efe:a00:1": "ISATAP",
    "1fff:ffff::1": "reserved",
}  # fmt: skip
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2001:3::1"),
    *("2001:4:112::1", "2001:200::", "2620:4f:8000::1", "2606:4700::1111", "::ffff:8.8.8.8"),
    *("64:ff9b::8.8.8.8", "2002:808:808::1", "2000::", "2606:4700::5efe:808:808", "::8.8.8.8"),
    "3fff:1000::",
]


@pytest.mark.parametrize(("first", "last"), IPV4 + IPV6)
def test_a_range_is_private_to_its_edges_and_no_further(first, last):
    low, high = ip_address(first), ip_address(last)
    for ip in (low, high, low + (int(high) - int(low)) // 2):
        assert is_private_address(str(ip)), ip
    greatest = (1 << low.max_prefixlen) - 1
    for number in (int(low) - 1, int(high) + 1):
        if 0 <= number <= greatest:
            ip = type(low)(number)
            assert not is_private_address(str(ip)), ip
            assert is_private_host(str(ip)) is False


@pytest.mark.parametrize("address", PRIVATE)
def test_a_special_address_is_private(address):
    assert is_private_address(address), PRIVATE[address]


@pytest.mark.parametrize("address", PUBLIC)
def test_other_addresses_are_public(address):
    assert not is_private_address(address)
    assert is_private_host(f"[{address}]" if ":" in address else address) is False
