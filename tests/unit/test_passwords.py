"""Which passwords are good enough, and how they are kept."""

import pytest

from control_plane.domain.people.password import faults
from control_plane.services.people.passwords import Passwords

CHEAP = {"memory_kib": 64, "passes": 1}


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "password1234",
        "Password2024!",
        "P@ssw0rd1234",
        "123456789012",
        "098765432109",
        "qwertyuiop12",
        "qwertyuiopasdf",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "abcdefghijkl",
        "letmeinletmein",
        "iloveyou12345",
        "correcthorsebatterystaple",
        "anna.svensson1",
        "Summer-2026-!!",
        "welcome123456",
        "adminadminadmin",
        "trimtabtrimtab",
        "changeme12345",
        "x" * 257,
    ],
)
def test_what_everybody_tries_first_is_no_password(password: str) -> None:
    assert faults(password, "anna.svensson@example.com")


@pytest.mark.parametrize(
    "password",
    [
        "vinegar pigeon lantern",
        "9fK!x2#vQmL8",
        "Kühlschrank brummt",
        "tusen nyanser av regn",
        "猫が好きなので毎日とても眠い",
    ],
)
def test_a_few_words_or_noise_are_good_enough(password: str) -> None:
    assert faults(password, "anna") == []


async def test_a_hash_knows_its_password_and_nothing_else_does() -> None:
    passwords = Passwords(**CHEAP)
    hashed = await passwords.hash("vinegar pigeon lantern")
    assert hashed.startswith("$argon2id$")
    assert await passwords.verify(hashed, "vinegar pigeon lantern")
    assert not await passwords.verify(hashed, "vinegar pigeon Lantern")
    assert not await passwords.verify(None, "vinegar pigeon lantern")
    assert not await passwords.verify("not a hash", "vinegar pigeon lantern")


async def test_the_same_letters_composed_otherwise_are_the_same_password() -> None:
    passwords = Passwords(**CHEAP)
    assert await passwords.verify(await passwords.hash("K\u00fchlschrank brummt"), "Ku\u0308hlschrank brummt")


async def test_a_hash_of_weaker_parameters_is_old() -> None:
    hashed = await Passwords(**CHEAP).hash("vinegar pigeon lantern")
    stronger = Passwords(memory_kib=128, passes=2)
    assert stronger.is_old(hashed)
    assert not stronger.is_old(await stronger.hash("vinegar pigeon lantern"))
