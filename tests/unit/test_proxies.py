"""From where a request comes: what proxies of ours say, and nothing that a stranger wrote."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.domain.proxies import FORWARDED, NO_PROXIES, TrustedProxies

OURS = TrustedProxies.parse("10.0.0.0/8, 2001:db8::/32")
THEIR_WORD = TrustedProxies.parse("10.0.0.0/8, 2001:db8::/32", FORWARDED)


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
        ("10.0.0.1", ["198.51.100.7, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["198.51.100.7, "], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7:1234"], "198.51.100.7"),
        ("2001:db8::1", ["[2001:470::1]:1234"], "2001:470::1"),
        ("::ffff:10.0.0.1", ["2001:470::1"], "2001:470::1"),
        ("10.0.0.1", ["fe80::1%eth0"], "10.0.0.1"),
        ("10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1" * 5000], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7\n"], "198.51.100.7"),
        ("", ["198.51.100.7"], ""),
    ],
)
def test_the_header_is_read_from_the_right_as_far_as_proxies_of_ours_wrote_it(
    peer: str, lines: list[str], expected: str
) -> None:
    assert OURS.origin(peer, lines) == expected
    assert NO_PROXIES.origin(peer, lines) == peer


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("for=198.51.100.7", "198.51.100.7"),
        ('For="[2001:470::1]:99";proto=https;by=10.0.0.1', "2001:470::1"),
        ('proto=https; for="198.51.100.7:80"', "198.51.100.7"),
        ('for="1.1.1.1, for=198.51.100.7', "198.51.100.7"),
        ("for=_hidden", "10.0.0.1"),
        ("for=unknown", "10.0.0.1"),
        ("by=1.1.1.1", "10.0.0.1"),
        ('for="1.1.1.1', "10.0.0.1"),
        ("198.51.100.7", "10.0.0.1"),
        ("for=198.51.100.7, for=10.0.0.5", "198.51.100.7"),
    ],
)
def test_the_standard_header_is_read_in_the_same_way(entry: str, expected: str) -> None:
    assert THEIR_WORD.origin("10.0.0.1", [entry]) == expected


def test_a_unix_socket_is_trusted_where_it_is_named() -> None:
    assert TrustedProxies.parse("unix").origin("", ["198.51.100.7"]) == "198.51.100.7"
    assert TrustedProxies.parse("unix").origin("192.0.2.1", ["198.51.100.7"]) == "192.0.2.1"


def test_a_name_is_no_proxy() -> None:
    with pytest.raises(ValueError, match="proxy"):
        TrustedProxies.parse("proxy.example")


@given(st.text(), st.lists(st.text(max_size=200), max_size=5), st.booleans())
def test_whatever_a_stranger_sends_he_is_who_is_connected(peer: str, lines: list[str], standard: bool) -> None:  # noqa: FBT001 - drawn
    proxies = THEIR_WORD if standard else OURS
    origin = proxies.origin(f"192.0.2.1{peer}", lines)
    assert origin == f"192.0.2.1{peer}"


@given(st.lists(st.text(alphabet=st.sampled_from('0123456789abcdef.:[]%,;="for \t_\\'), max_size=60), max_size=5))
def test_what_stands_left_of_the_entry_of_our_proxy_never_matters(hostile: list[str]) -> None:
    for proxies, entry in ((OURS, "198.51.100.7"), (THEIR_WORD, "for=198.51.100.7")):
        assert proxies.origin("10.0.0.1", [*hostile, entry]) == "198.51.100.7"
        joined = ",".join([*hostile, entry])
        assert proxies.origin("10.0.0.1", [joined]) == "198.51.100.7"
        found = proxies.origin("10.0.0.1", hostile)
        assert ipaddress.ip_address(found)
