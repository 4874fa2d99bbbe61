"""A config as one of AppConfig's flags: whether it is enabled, which variant it is, and its attributes."""

from shared.domain.codec import Json, decode, encode
from shared.domain.resolution import Reason, Resolution

ENABLED, VARIANT, VALUE = "enabled", "_variant", "value"


def flag_of(resolution: Resolution) -> bytes:
    """An object's members are the attributes; what is neither true, false nor an object is the attribute `value`."""
    value = decode(resolution.value)
    document: dict[str, Json] = {}
    if isinstance(value, dict):
        document |= value
    elif value is not None and not isinstance(value, bool):
        document[VALUE] = value
    document[ENABLED] = _enabled(value, resolution.reason)
    if resolution.variant is not None:
        document[VARIANT] = resolution.variant
    return encode(document)


def _enabled(value: Json, reason: Reason) -> bool:
    """True and false speak for themselves, and so does an object that has its own word; else it is on unless it is off."""
    if isinstance(value, dict) and isinstance(said := value.get(ENABLED), bool):
        return said
    if isinstance(value, bool) or value is None:
        return value is True
    return reason is not Reason.DISABLED
