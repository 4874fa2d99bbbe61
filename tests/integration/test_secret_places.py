"""Where secrets are kept, asked over real sockets: Vault and AWS by doubles of their protocols, files and variables."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from agent.secrets.aws import SERVICE, SecretsManager
from agent.secrets.local import FileSecrets, VariableSecrets
from agent.secrets.provider import MAX_SECRET, Provider
from agent.secrets.vault import Vault
from shared.domain.secret_reference import parse_reference
from shared.runtime.clock import SystemClock
from shared.runtime.keepers.asking import Asking, SecretError
from shared.runtime.keepers.aws_identity import AwsIdentity
from shared.runtime.keepers.aws_service import AwsService
from shared.runtime.keepers.sigv4 import Signer
from shared.runtime.keepers.vault_session import Login, VaultSession
from tests.fakes.secret_places import AwsDouble, VaultDouble, serving


def source(**members: Any) -> dict[str, str]:
    return dict(parse_reference({"$secret": members}).source)


@asynccontextmanager
async def vault(double: VaultDouble, login: Login) -> AsyncIterator[Vault]:
    asking = Asking()
    async with serving(double.app()) as url:
        try:
            yield Vault(VaultSession(url, login, asking))
        finally:
            await asking.close()


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def test_vault_gives_a_stored_secret_in_any_version(tmp_path: Path) -> None:
    double = VaultDouble(kv={"secret/billing/db": [{"password": "one"}, {"password": "two"}, None]})
    async with vault(double, Login(credential=written(tmp_path / "token", "root\n"))) as place:
        found = await place.fetch(source(provider="vault", path="billing/db", version=1))
        assert (found.document, found.lease) == ({"password": "one"}, None)
        with pytest.raises(SecretError, match="no such secret"):
            await place.fetch(source(provider="vault", path="billing/db"))
        with pytest.raises(SecretError, match="no such secret"):
            await place.fetch(source(provider="vault", path="billing/other"))
        assert "'one'" not in repr(found)


@pytest.mark.parametrize(
    "login",
    [Login("approle", role="role", credential=Path("s3cret")), Login("kubernetes", "", "billing", Path("j.w.t"))],
)
async def test_vault_takes_the_agents_own_identity_and_another_token_when_one_is_revoked(
    tmp_path: Path, login: Login
) -> None:
    assert login.credential is not None
    own = Login(login.method, role=login.role, credential=written(tmp_path / "credential", login.credential.name))
    double = VaultDouble(kv={"secret/a": [{"x": 1}]})
    async with vault(double, own) as place:
        for _ in range(3):
            assert (await place.fetch(source(provider="vault", path="a"))).document == {"x": 1}
        assert [path for _, path in double.asked].count(f"auth/{login.method}/login") == 1
        double.tokens.clear()
        assert (await place.fetch(source(provider="vault", path="a"))).document == {"x": 1}
        assert [path for _, path in double.asked].count(f"auth/{login.method}/login") == 2
        written(tmp_path / "credential", "wrong")
        double.tokens.clear()
        with pytest.raises(SecretError, match="does not take our"):
            await place.fetch(source(provider="vault", path="a"))


async def test_vault_lends_and_prolongs(tmp_path: Path) -> None:
    double = VaultDouble(lease=60.0)
    async with vault(double, Login(credential=written(tmp_path / "token", "root"))) as place:
        lent = await place.fetch(source(provider="vault", engine="dynamic", path="database/creds/billing"))
        assert lent.lease == 60.0
        assert lent.document == {"username": "v-user-1", "password": "v-pass-1"}
        longer = await place.renew(lent)
        assert (longer.document, longer.lease) == (lent.document, 60.0)
        double.revoked.add(lent.renewal)
        with pytest.raises(SecretError, match="400"):
            await place.renew(lent)


@pytest.mark.parametrize("status", [301, 403, 429, 500, 503])
async def test_what_vault_refuses_is_told_without_a_token(tmp_path: Path, status: int) -> None:
    double = VaultDouble(down=status)
    async with vault(double, Login(credential=written(tmp_path / "token", "t0psecret"))) as place:
        with pytest.raises(SecretError, match=str(status)) as error:
            await place.fetch(source(provider="vault", path="a"))
        assert "t0psecret" not in str(error.value)


async def test_a_credential_that_is_not_there_or_garbage_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none", written(tmp_path / "empty", ""), written(tmp_path / "two", "a\nb")):
        async with vault(VaultDouble(), Login(credential=path)) as place:
            with pytest.raises(SecretError, match="credential for Vault"):
                await place.fetch(source(provider="vault", path="a"))


async def test_where_nobody_listens_it_is_told_so() -> None:
    place = Vault(
        VaultSession("http://127.0.0.1:9", Login("kubernetes", role="a", credential=Path(os.devnull)), Asking())
    )
    with pytest.raises(SecretError, match=r"none|reached"):
        await place.fetch(source(provider="vault", path="a"))


@asynccontextmanager
async def aws(double: AwsDouble, **environ: str) -> AsyncIterator[SecretsManager]:
    asking, clock = Asking(), SystemClock()
    async with serving(double.app()) as url:
        environ |= {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url}
        identity = AwsIdentity(environ, asking, clock.now, URL(url).with_path("/"))
        try:
            yield SecretsManager(AwsService(f"{url}/", Signer("eu-north-1", SERVICE), identity, asking, clock))
        finally:
            await asking.close()


async def identities(tmp_path: Path) -> AsyncIterator[tuple[dict[str, str], list[str]]]:
    token = written(tmp_path / "jwt", "j.w.t\n")
    yield {"AWS_ACCESS_KEY_ID": "AKIDSTATIC", "AWS_SECRET_ACCESS_KEY": "x"}, []
    yield (
        {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": "arn:aws:iam::1:role/billing"},
        ["AssumeRoleWithWebIdentity"],
    )
    yield {}, ["imds token"]


async def test_aws_is_asked_with_each_identity_that_an_agent_may_have(tmp_path: Path) -> None:
    get = "secretsmanager.GetSecretValue"
    async for environ, first in identities(tmp_path):
        double = AwsDouble(secrets={"prod/db": '{"password": "pw"}'})
        async with aws(double, **environ) as place:
            for _ in range(2):
                found = await place.fetch(source(provider="aws-secretsmanager", id="prod/db"))
                assert found.document == '{"password": "pw"}'
            assert double.asked == [*first, get, get]
            with pytest.raises(SecretError, match="ResourceNotFoundException"):
                await place.fetch(source(provider="aws-secretsmanager", id="prod/other"))
            double.identities.clear()  # all are taken back: who can ask for other ones does, by itself
            with nullcontext() if first else pytest.raises(SecretError, match="UnrecognizedClientException"):
                await place.fetch(source(provider="aws-secretsmanager", id="prod/db"))


async def test_files_are_read_below_the_allowed_directories_only(tmp_path: Path) -> None:
    allowed, outside = tmp_path / "allowed", written(tmp_path / "outside", "no")
    (allowed / "..data").mkdir(parents=True)
    written(allowed / "..data" / "password", "pw\n")
    (allowed / "password").symlink_to("..data/password")
    (allowed / "leads-out").symlink_to(outside)
    (allowed / "up").symlink_to("..")
    os.mkfifo(allowed / "pipe")
    (allowed / "big").write_bytes(b"x" * (MAX_SECRET + 1))
    (allowed / "binary").write_bytes(b"\xff\xfe")
    (allowed / "loop").symlink_to("loop")
    place: Provider = FileSecrets([tmp_path / "none", allowed])
    assert (await place.fetch({"provider": "file", "path": "password"})).document == "pw"
    refused = {
        "leads-out": "leads out",
        "up/outside": "leads out",
        "../outside": "leads out",
        str(outside): "leads out",
        "pipe": "no file",
        "..data": "no file",
        "big": "more than",
        "binary": "no text",
        "loop": "no such",
        "other": "no such",
    }
    for name, why in refused.items():
        with pytest.raises(SecretError, match=why):
            await place.fetch({"provider": "file", "path": name})


async def test_variables_are_read_by_allowed_names_only() -> None:
    place: Provider = VariableSecrets(["DB_PASSWORD", "GONE"], {"DB_PASSWORD": "pw", "TRIMTAB_AGENT_TOKEN": "t"})
    assert (await place.fetch({"provider": "env", "name": "DB_PASSWORD"})).document == "pw"
    for name, why in {"TRIMTAB_AGENT_TOKEN": "may not", "PATH": "may not", "GONE": "without"}.items():
        with pytest.raises(SecretError, match=why) as error:
            await place.fetch({"provider": "env", "name": name})
        assert error.value.denied
