"""How references to secrets are written: the good ones are read, of all others it is said what is wrong and where."""

from datetime import UTC, datetime
from typing import Any

import pytest
from yarl import URL

from agent.secrets.provider import label
from control_plane.domain.content import content_violations
from shared.domain.codec import canonical
from shared.domain.document import DocumentError
from shared.domain.entry import Kind
from shared.domain.secret_reference import (
    MAX_REFERENCES,
    mentions,
    parse_reference,
    reference_faults,
    references,
    substituted,
)
from shared.runtime.keepers.sigv4 import Credentials, Signer


def of(**members: Any) -> dict[str, Any]:
    return {"$secret": members}


GOOD = [
    of(provider="vault", path="billing/db"),
    of(provider="vault", path="billing/db", mount="teams/billing", version=3, field="password"),
    of(provider="vault", engine="dynamic", path="database/creds/billing", field="password"),
    of(provider="aws-secretsmanager", id="prod/billing/db", field="password", stage="AWSPREVIOUS"),
    of(provider="aws-secretsmanager", id="arn:aws:secretsmanager:eu-north-1:123456789012:secret:db-AbCdEf"),
    of(provider="file", path="db/password"),
    of(provider="file", path="..data/password"),
    of(provider="env", name="DB_PASSWORD"),
]


@pytest.mark.parametrize("document", GOOD)
def test_a_good_reference_is_read(document: dict[str, Any]) -> None:
    reference = parse_reference(document)
    assert reference.provider == document["$secret"]["provider"]
    assert reference.field == document["$secret"].get("field", "")
    assert label(dict(reference.source)).startswith(reference.provider)


def test_fields_of_the_same_secret_share_a_source() -> None:
    one, other = (parse_reference(of(provider="vault", path="a/b", field=each)) for each in ("user", "password"))
    assert one.source == other.source
    assert one != other


BAD = [
    ({"$secret": None}, "/$secret"),
    ({"$secret": "vault:billing/db"}, "/$secret"),
    (of(), "/$secret/provider"),
    (of(provider="vault"), "/$secret/path"),
    (of(provider="Vault", path="a"), "/$secret/provider"),
    (of(provider="http", url="http://169.254.169.254/"), "/$secret/provider"),
    (of(provider=["vault"], path="a"), "/$secret/provider"),
    (of(provider="vault", path="a", url="http://evil.example"), "/$secret/url"),
    (of(provider="vault", path="../sys/raw"), "/$secret/path"),
    (of(provider="vault", path="a/../../sys/raw"), "/$secret/path"),
    (of(provider="vault", path="/a"), "/$secret/path"),
    (of(provider="vault", path="a/"), "/$secret/path"),
    (of(provider="vault", path="a//b"), "/$secret/path"),
    (of(provider="vault", path="a%2f..%2fb"), "/$secret/path"),
    (of(provider="vault", path="a?version=1"), "/$secret/path"),
    (of(provider="vault", path="a#b"), "/$secret/path"),
    (of(provider="vault", path="a\n"), "/$secret/path"),
    (of(provider="vault", path="a\0"), "/$secret/path"),
    (of(provider="vault", path="\u202ea"), "/$secret/path"),
    (of(provider="vault", path="а"), "/$secret/path"),  # noqa: RUF001 - a Cyrillic one
    (of(provider="vault", path="a" * 513), "/$secret/path"),
    (of(provider="vault", path=""), "/$secret/path"),
    (of(provider="vault", path=7), "/$secret/path"),
    (of(provider="vault", path="a", mount=".."), "/$secret/mount"),
    (of(provider="vault", path="a", version=-1), "/$secret/version"),
    (of(provider="vault", path="a", version=True), "/$secret/version"),
    (of(provider="vault", path="a", version=1e300), "/$secret/version"),
    (of(provider="vault", path="a", engine="transit"), "/$secret/engine"),
    (of(provider="vault", path="a", field=""), "/$secret/field"),
    (of(provider="vault", path="a", field={}), "/$secret/field"),
    (of(provider="file", path="/etc/shadow"), "/$secret/path"),
    (of(provider="file", path="../../etc/shadow"), "/$secret/path"),
    (of(provider="file", path="a/./b"), "/$secret/path"),
    (of(provider="env", name="PATH=x"), "/$secret/name"),
    (of(provider="env", name="A B"), "/$secret/name"),
    (of(provider="aws-secretsmanager", id="a b"), "/$secret/id"),
    (of(provider="aws-secretsmanager", id="a", stage="a/b"), "/$secret/stage"),
    ({"$secret": {"provider": "env", "name": "A"}, "other": 1}, ""),
]


@pytest.mark.parametrize(("document", "pointer"), BAD)
def test_of_a_bad_one_it_is_said_what_is_wrong_and_where(document: dict[str, Any], pointer: str) -> None:
    with pytest.raises(DocumentError) as error:
        parse_reference(document)
    assert pointer in [each.pointer for each in error.value.faults]
    for kind, value, place in (
        (Kind.VALUE, {"nested": [document]}, "/nested/0"),
        (Kind.FLAG, {"variants": {"on": document}, "default": "on"}, "/variants/on"),
    ):
        found = list(content_violations(kind, "a", canonical(value), "/value"))
        assert f"/value{place}{pointer}" in [each.pointer for each in found]


def test_they_may_stand_anywhere_in_a_value() -> None:
    value = {"user": "a", "passwords": [GOOD[0], {"deep": GOOD[7]}], "plain": "$secret"}
    assert mentions(canonical(value))
    assert [pointer for pointer, _ in references(value)] == ["/passwords/0", "/passwords/1/deep"]
    assert reference_faults(value) == []
    assert substituted(value, lambda _: "x") == {"user": "a", "passwords": ["x", {"deep": "x"}], "plain": "$secret"}


def test_no_config_has_more_of_them_than_is_good_for_anybody() -> None:
    (fault,) = reference_faults([GOOD[0]] * (MAX_REFERENCES + 1), "/value")
    assert (fault.pointer, "limit" in fault.detail) == ("/value", True)


def test_a_variant_may_be_a_reference_whatever_the_type_of_the_others() -> None:
    flag = {"variants": {"on": GOOD[0], "off": "none"}, "default": "off"}
    assert list(content_violations(Kind.FLAG, "a", canonical(flag), "/flag")) == []


def test_requests_to_aws_are_signed_as_its_documentation_says() -> None:
    """The example of AWS's own documentation (IAM, ListUsers)."""
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    signed = Signer("us-east-1", "iam").headers(
        credentials,
        datetime(2015, 8, 30, 12, 36, 0, tzinfo=UTC),
        URL("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"),
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        method="GET",
    )
    assert signed["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )
