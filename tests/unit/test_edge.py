"""By which names the API is called, from which pages, and over how many connections."""

import pytest

from control_plane.domain.edge import ANY_HOST, Edge
from control_plane.domain.rates import origin
from control_plane.settings.load import SettingsError, load_settings
from shared.runtime.crowd import Crowd

BASE = {"TRIMTAB_DATABASE_URL": "postgresql://x/y"}


@pytest.mark.parametrize(
    "host", ["config.example", "CONFIG.example:8080", "config.example.", "10.0.0.1:80", "[::1]:8080", "localhost"]
)
def test_names_of_the_setting_and_addresses_are_ours(host: str) -> None:
    assert Edge.parse("config.example, other", "", local=False).serves(host)


@pytest.mark.parametrize("host", ["evil.example", "config.example.evil", "xconfig.example", "127.0.0.1.evil.example"])
def test_other_names_are_not(host: str) -> None:
    assert not Edge.parse("config.example", "", local=False).serves(host)
    assert ANY_HOST.serves(host)


@pytest.mark.parametrize(
    "host", ["", "a b", "user@config.example", "config.example/x", "config.example:x", "a,b", "[::1", "é", "a:1:2"]
)
def test_what_is_no_name_is_nobodys(host: str) -> None:
    assert not ANY_HOST.serves(host)


def test_on_loopback_a_page_cannot_call_by_a_name_of_its_own() -> None:
    assert not load_settings(BASE).edge.serves("evil.example")
    assert load_settings(BASE).edge.serves("localhost:8080")
    for listen, proxies in (("0.0.0.0:8080", ""), ("127.0.0.1:8080", "127.0.0.1")):
        chosen = BASE | {"TRIMTAB_LISTEN": listen, "TRIMTAB_TRUSTED_PROXIES": proxies}
        assert load_settings(chosen).edge.serves("trimtab")
        assert not load_settings(chosen | {"TRIMTAB_PUBLIC_HOSTS": "trimtab"}).edge.serves("evil.example")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PUBLIC_HOSTS", "https://x.example"),
        ("PUBLIC_HOSTS", "x.example:80"),
        ("PUBLIC_HOSTS", "*"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "x.example"),
        ("CORS_ORIGINS", "https://x.example/"),
        ("CORS_ORIGINS", "https://*.example"),
        ("MAX_CONNECTIONS", "0"),
    ],
)
def test_a_setting_that_would_mean_something_else_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"TRIMTAB_{name}"):
        load_settings(BASE | {f"TRIMTAB_{name}": text})


def test_connections_are_counted_in_all_and_by_address() -> None:
    crowd = Crowd(4, 2, origin, lambda address: address == "10.0.0.1")
    assert [crowd.enter("192.0.2.1") for _ in range(3)] == [True, True, False]
    for _ in range(3):
        crowd.leave("192.0.2.1")
    assert [crowd.enter(each) for each in ("2001:db8::1", "2001:db8::2", "2001:db8::3")] == [True, True, False]
    assert crowd.enter("10.0.0.1"), "the fourth"
    assert not crowd.enter("10.0.0.1"), "the fifth"
    for each in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "10.0.0.1", "10.0.0.1"):
        crowd.leave(each)
    assert [crowd.enter("10.0.0.1") for _ in range(5)] == [True] * 4 + [False]
    assert len(crowd._by_address) == 1
