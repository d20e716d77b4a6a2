import ipaddress

import pytest

from routing import addresses

PRIVATE = [
    *(f"127.{n}.0.1" for n in (0, 1, 77, 255)), "0.0.0.0", "0.1.2.3", "255.255.255.255",  # noqa: S104
    *(f"10.{n}.2.3" for n in (0, 1, 128, 255)), *(f"172.{n}.0.9" for n in range(16, 32)),
    *(f"192.168.{n}.7" for n in (0, 1, 100, 255)), "169.254.169.254", "169.254.0.1",
    "169.254.170.2", "100.64.0.1", "100.100.100.200", "100.127.255.254", "192.0.0.1",
    "192.0.0.170", "192.0.2.1", "198.18.0.1", "198.19.255.254", "198.51.100.7", "203.0.113.9",
    "224.0.0.1", "239.255.255.250", "233.252.0.1", "240.0.0.1", "250.1.1.1",
    "::", "::1", "::2", "fe80::1", "fe80::1%eth0", "febf::9", "fc00::1", "fd00:ec2::254",
    "fdff:ffff::1", "ff02::1", "ff0e::fb", "2001:db8::1", "100::1", "fec0::1", "3fff::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1",
    "::ffff:0:127.0.0.1", "::127.0.0.1", "::a00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b::808:808", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2002:808:808::1", "2001:0:7f00:1::", "2001::a9fe:a9fe", "2001:10::1", "2001:2::1",
]  # fmt: skip
NO_ADDRESSES = [
    "", "localhost", "0", "1", "127.1", "127.0.1", "2130706433", "0x7f000001", "017700000001",
    "0177.0.0.1", "0x7f.0.0.1", "127.0.0.1.", "127.0.0.1 ", " 127.0.0.1", "[::1]", "::1]",
    "::ffff:127.1", "1.2.3.4.5", "256.1.1.1", "1.2.3", "example.com", "127.0.0.1:80", "①②⑦.0.0.1",
    "127。0。0。1", "1::2::3", "gggg::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "100.63.255.255",
          "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8"]  # fmt: skip


@pytest.mark.parametrize("text", PRIVATE)
def test_no_inside_of_a_network_is_public(text):
    assert not addresses.is_public(text)
    assert not addresses.may_fetch(text)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_plain_address_is_not_public(text):
    assert not addresses.is_public(text)
    assert not addresses.is_allowed(text)


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are(text):
    assert addresses.is_public(text)


def test_an_operator_may_open_a_network(settings):
    settings.FETCH_NETWORKS = [ipaddress.ip_network("10.7.0.0/16")]
    assert addresses.may_fetch("10.7.1.2")
    assert not addresses.is_public("10.7.1.2")
    assert not addresses.may_fetch("10.8.1.2")
    assert not addresses.may_fetch("169.254.169.254")
