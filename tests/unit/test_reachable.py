"""Where we connect to on somebody's behalf: public addresses, and what settings name."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.reachable import PUBLIC, Reachable
from control_plane.settings.load import SettingsError, load_settings

NOWHERE = [
    "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1",  # noqa: S104 - refused
    "172.31.255.255",
    "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1",
    "192.0.2.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1",
    "fd00:ec2::254", "fd12:3456::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1",
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::", "2001:db8::1", "fec0::1",
]  # fmt: skip
SOMEWHERE = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"]


def allows(reachable: Reachable, address: str, host: str = "hooks.example") -> bool:
    return reachable.allows(host, ipaddress.ip_address(address))


@pytest.mark.parametrize("address", NOWHERE)
def test_what_is_not_public_is_not_asked(address: str) -> None:
    named = PUBLIC.naming(["https://hooks.example"], private=False)
    assert not allows(PUBLIC, address)
    assert not allows(named, address), "naming a host says nothing about where it points to"


@pytest.mark.parametrize("address", SOMEWHERE)
def test_what_is_public_is(address: str) -> None:
    assert allows(PUBLIC, address)


def test_a_private_network_is_asked_where_the_settings_allow_it_and_nothing_else_of_it() -> None:
    company = Reachable.parse("10.0.0.0/8, fd12::/16")
    assert allows(company, "10.1.2.3")
    assert allows(company, "::ffff:10.1.2.3")
    assert allows(company, "fd12::5")
    assert not allows(company, "192.168.0.1")
    assert not allows(company, "2002:a01:203::1")


def test_a_host_of_a_whole_url_in_the_settings_may_be_private_and_no_more() -> None:
    source = PUBLIC.naming(["http://prometheus:9090/x"], private=True)
    assert allows(source, "10.1.2.3", "prometheus")
    assert allows(source, "fd12::1", "prometheus")
    for address in ("127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "fd00:ec2::254", "100.100.100.200", "::1"):  # noqa: S104 - refused
        assert not allows(source, address, "prometheus"), address
    assert not allows(source, "10.1.2.3", "other")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9090", "http://localhost:9090", "http://[::1]:9090"])
def test_loopback_is_asked_where_a_setting_says_so_in_as_many_words(url: str) -> None:
    host = url.removeprefix("http://").removesuffix(":9090").strip("[]")
    named = PUBLIC.naming([url], private=True)
    assert allows(named, "::1" if ":" in host else "127.0.0.1", host)
    assert not allows(named, "127.0.0.1", "hooks.example")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/", "file:///etc/passwd", "gopher://hooks.example/", "//hooks.example/", "hooks.example",
        "https://user@hooks.example/", "https://hooks.example@127.0.0.1/", "https://127.0.0.1/", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "http://hooks.example:6379/", "http://hooks.example:0/", "https://hooks.example:99999/",
        "https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", "https://hooks\u3002example/", "https://ex%61mple/", "https://hooks.example\\@127.0.0.1/",
        "https://hooks.example\r\nX: 1/", "https://hooks example/", "https:///x", "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data/", "HTTPS ://hooks.example", "",
    ],
)  # fmt: skip
def test_a_url_of_somebody_else_is_refused_for_what_can_be_seen(url: str) -> None:
    assert not PUBLIC.allows_url(url)


def test_ports_are_those_of_the_scheme_or_of_the_setting() -> None:
    named = PUBLIC.naming(["https://hooks.example:8443"], private=False)
    assert named.allows_url("https://hooks.example:8443/x")
    assert named.allows_url("https://hooks.example/x")
    assert not named.allows_url("https://hooks.example:8444/x")
    assert not named.allows_url("https://other.example:8443/x")


@given(st.ip_addresses())
def test_nothing_that_is_not_global_is_asked_without_a_setting(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    allowed = PUBLIC.allows("hooks.example", address)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert not allowed or (mapped or address).is_global


@given(st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address))
def test_an_address_of_ipv4_is_judged_the_same_in_the_dress_of_ipv6(address: ipaddress.IPv4Address) -> None:
    dressed = ipaddress.IPv6Address(f"::ffff:{address}")
    assert PUBLIC.allows("h", address) == PUBLIC.allows("h", dressed)
    for carrier in (0x64FF9B << 96, 0x2002 << 112):
        assert not PUBLIC.allows("h", ipaddress.IPv6Address(carrier | int(address) << (80 if carrier >> 112 else 0)))


def test_settings_name_networks_or_say_what_is_wrong() -> None:
    base = {"TRIMTAB_DATABASE_URL": "postgresql://x/y"}
    settings = load_settings(
        base | {"TRIMTAB_OUTSIDE_NETWORKS": "10.0.0.0/8", "TRIMTAB_WEBHOOK_URLS": "http://[::1]:80/x"}
    )
    assert allows(settings.reachable, "10.0.0.1")
    assert allows(settings.reachable, "::1", "::1")
    with pytest.raises(SettingsError, match="TRIMTAB_OUTSIDE_NETWORKS"):
        load_settings(base | {"TRIMTAB_OUTSIDE_NETWORKS": "10.0.0.0/99"})
