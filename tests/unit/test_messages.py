import pytest

from shared.domain.codec import decode, encode
from shared.wire.messages import MalformedMessageError, UnsupportedSchemaError, decode_message
from tests.fakes.control_plane import LINEAGE, Model, Write


def change() -> dict[str, object]:
    model = Model()
    model.commit(Write(LINEAGE.app, "a"))
    (message,) = model.commit(Write(LINEAGE.app, "a", b'{"x":[1,"\xc3\xa4"]}'))
    document: dict[str, object] = decode(message.encode())
    return document


def test_a_sensitive_value_does_not_travel() -> None:
    (message,) = Model().commit(Write(LINEAGE.app, "a", b'"hunter2"', sensitive=True))
    assert b"hunter2" not in message.encode()
    assert message.withholds_values


def test_unknown_fields_are_ignored() -> None:
    assert decode_message(encode(change() | {"new": {"field": 1}})) == decode_message(encode(change()))


def test_another_schema_is_told_apart_from_nonsense() -> None:
    with pytest.raises(UnsupportedSchemaError):
        decode_message(encode(change() | {"schema": 2}))
    with pytest.raises(MalformedMessageError):
        decode_message(b"[]")


@pytest.mark.parametrize(
    "spoiled",
    [
        {"revision": -1},
        {"revision": True},
        {"previous": 2},
        {"scope": "app.Bad"},
        {"scopes": ["global"]},
        {"digest": "abc"},
        {"operations": [{"op": "put", "key": "a/b", "version": 1, "kind": "value", "value": 1}]},
        {"operations": [{"op": "burn", "key": "a", "version": 1}]},
        {"committed_at": 7},
        {"type": "gossip"},
    ],
)
def test_a_message_that_cannot_be_is_malformed(spoiled: dict[str, object]) -> None:
    with pytest.raises(MalformedMessageError):
        decode_message(encode(change() | spoiled))


@pytest.mark.parametrize("interval", [0, -1, "3", True, None])
def test_a_heartbeat_without_a_sensible_interval_is_malformed(interval: object) -> None:
    with pytest.raises(MalformedMessageError):
        decode_message(encode(decode(Model().heartbeat().encode()) | {"interval": interval}))
