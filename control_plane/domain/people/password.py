"""Which passwords are good enough: long, and none of those that everybody tries first."""

import re
import unicodedata

MIN_LENGTH = 12
MAX_LENGTH = 256
_SHORTEST_REST = 4
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890", "0123456789", "1qaz2wsx3edc")
_RUN = 4
"""So many neighbours on the keyboard or in the alphabet are one thing to remember, and to guess."""
_ENDS = "0123456789!?.,;:*#-_ "
"""What people put before or behind a word that they were told is too short."""
_LEET = str.maketrans("@4301!$57", "aaeoiisst")
_COMMON = frozenset(
    [
        "password",
        "passwort",
        "passw0rd",
        "letmein",
        "welcome",
        "admin",
        "administrator",
        "administration",
        "changeme",
        "changeit",
        "default",
        "secret",
        "iloveyou",
        "monkey",
        "dragon",
        "football",
        "baseball",
        "basketball",
        "princess",
        "sunshine",
        "superman",
        "batman",
        "master",
        "shadow",
        "michael",
        "jennifer",
        "computer",
        "internet",
        "login",
        "access",
        "trustno",
        "starwars",
        "whatever",
        "freedom",
        "hello",
        "charlie",
        "jordan",
        "google",
        "summer",
        "winter",
        "spring",
        "autumn",
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "qwerty",
        "qwertz",
        "azerty",
        "test",
        "testing",
        "tester",
        "temp",
        "temporary",
        "guest",
        "root",
        "user",
        "username",
        "demo",
        "company",
        "pass",
        "word",
        "my",
        "your",
        "the",
        "this",
        "is",
        "new",
        "old",
        "please",
        "enter",
        "let",
        "me",
        "in",
        "to",
        "love",
        "you",
        "i",
        "trimtab",
        "config",
        "configuration",
        "server",
        "database",
        "postgres",
        "correct",
        "horse",
        "battery",
        "staple",
        "correcthorsebatterystaple",
        "motdepasse",
        "contrasena",
        "liverpool",
        "chelsea",
        "arsenal",
        "barcelona",
        "pokemon",
        "naruto",
        "samsung",
        "myspace",
        "facebook",
    ]
)
_LONG = tuple(sorted((each for each in _COMMON if len(each) >= _SHORTEST_REST), key=len, reverse=True))


def normalised(password: str) -> str:
    """The same text for the same keys, whichever way a keyboard composes its letters (RFC 8265)."""
    return unicodedata.normalize("NFC", password)


def faults(password: str, name: str) -> list[str]:
    """Why it is no password for somebody of this name; nothing if it is good enough."""
    if len(password) < MIN_LENGTH:
        return [f"must have at least {MIN_LENGTH} characters"]
    if len(password) > MAX_LENGTH:
        return [f"must have at most {MAX_LENGTH} characters"]
    plain, own = password.casefold(), name.partition("@")[0]
    if _is_common(plain, own) or _is_common(plain.strip(_ENDS).translate(_LEET), own):
        return ["is one of those that are tried first: take a few words that have nothing to do with each other"]
    return []


def _is_common(plain: str, own: str) -> bool:
    """Whether nothing much is left once repetitions, rows of keys and the words that everybody uses are taken away."""
    once = re.sub(r"(.{1,6}?)\1+", r"\1", plain)
    return len(set(plain)) < _RUN or any(len(_rest(each, own)) < _SHORTEST_REST for each in (plain, once))


def _rest(plain: str, own: str) -> str:
    """What is left without the account's own name, rows of keys, common words, years and what joins them."""
    text = plain.replace(own, " ") if own else plain
    text = _without_rows(re.sub(r"[\W_]+", " ", text))
    for word in _LONG:
        text = text.replace(word, " ")
    return "".join(each for each in text.split() if each not in _COMMON and not each.isdecimal())


def _without_rows(text: str) -> str:
    for row in (*_ROWS, *(each[::-1] for each in _ROWS)):
        for length in range(len(row), _RUN - 1, -1):
            for start in range(len(row) - length + 1):
                text = text.replace(row[start : start + length], " ")
    return text
