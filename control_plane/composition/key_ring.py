"""The key-encryption keys that the settings name, opened."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from yarl import URL

from control_plane.key_encryption.aws_kms import SERVICE, AwsKms
from control_plane.key_encryption.local import LocalKeyEncryption
from control_plane.key_encryption.ring import KeyRing
from control_plane.key_encryption.vault import VaultTransit
from control_plane.ports.keys import KeyEncryption
from control_plane.settings.model import Settings
from control_plane.starting import StartError
from shared.runtime.clock import SystemClock
from shared.runtime.keepers.asking import Asking
from shared.runtime.keepers.aws_identity import AwsIdentity
from shared.runtime.keepers.aws_service import AwsService, endpoint
from shared.runtime.keepers.sigv4 import Signer
from shared.runtime.keepers.vault_session import Login, VaultSession

_VAULT_NEEDS = {
    "token": ("vault_url", "vault_token_file"),
    "approle": ("vault_url", "vault_role_id", "vault_secret_id_file"),
    "kubernetes": ("vault_url", "vault_role", "vault_jwt_file"),
}


@asynccontextmanager
async def open_key_ring(settings: Settings, environ: Mapping[str, str] = os.environ) -> AsyncIterator[KeyRing]:
    """All keys, until the block ends. They are there: each was looked at.

    Raises:
        StartError: there is no key that encrypts.
        UnavailableError: somebody who has a key is away, or does not let us use it.
    """
    _require(settings, environ)
    vault, aws = Asking(Path(settings.vault_ca_file) if settings.vault_ca_file else None), Asking()
    opened: dict[str, list[KeyEncryption]] = {
        "local": [LocalKeyEncryption.parse(settings.encryption_key)] if settings.encryption_key else [],
        "vault": list(_vault(settings, vault)) if settings.vault_url else [],
        "aws-kms": list(_kms(settings, aws, environ)) if settings.aws_kms_key else [],
    }
    ring = KeyRing([*opened.pop(settings.encryption_by), *(each for others in opened.values() for each in others)])
    try:
        await ring.look()
        yield ring
    finally:
        await vault.close()
        await aws.close()


def _vault(settings: Settings, asking: Asking) -> Iterator[KeyEncryption]:
    role = settings.vault_role_id if settings.vault_auth == "approle" else settings.vault_role
    credential = {"token": settings.vault_token_file, "approle": settings.vault_secret_id_file}
    path = Path(credential.get(settings.vault_auth, settings.vault_jwt_file))
    login = Login(settings.vault_auth, settings.vault_auth_mount, role, path)
    session = VaultSession(settings.vault_url, login, asking, settings.vault_namespace)
    for name in _names(settings.vault_transit_key):
        yield VaultTransit(session, settings.vault_transit_mount, name)


def _kms(settings: Settings, asking: Asking, environ: Mapping[str, str]) -> Iterator[KeyEncryption]:
    region, clock = _region(settings, environ), SystemClock()
    sts = URL(environ.get("AWS_ENDPOINT_URL_STS") or endpoint("sts", region))
    identity = AwsIdentity(environ, asking, clock.now, sts)
    url = settings.aws_kms_url or endpoint(SERVICE, region)
    service = AwsService(url, Signer(region, SERVICE), identity, asking, clock)
    for name in _names(settings.aws_kms_key):
        yield AwsKms(service, name)


def _names(text: str) -> list[str]:
    return [name for each in text.split(",") if (name := each.strip())]


def _region(settings: Settings, environ: Mapping[str, str]) -> str:
    return settings.aws_region or environ.get("AWS_REGION", "") or environ.get("AWS_DEFAULT_REGION", "")


def _require(settings: Settings, environ: Mapping[str, str]) -> None:
    if settings.encryption_by == "local" and not settings.encryption_key:
        msg = (
            "TRIMTAB_ENCRYPTION_KEY must be given: without it nothing sensitive can be stored. `trimtab keys generate` "
            "makes one; every replica gets the same, and a backup of it belongs beside none of the database"
        )
        raise StartError(msg)
    needed = ["vault_transit_key", *_VAULT_NEEDS[settings.vault_auth]] if settings.vault_url else []
    needed += {"local": [], "vault": ["vault_url"], "aws-kms": ["aws_kms_key"]}[settings.encryption_by]
    for name in needed:
        if not getattr(settings, name):
            msg = f"TRIMTAB_{name.upper()} must be given: the key-encryption key is with somebody who asks for it"
            raise StartError(msg)
    if settings.aws_kms_key and not _region(settings, environ):
        msg = "TRIMTAB_AWS_REGION must be given: a key at KMS is in one region"
        raise StartError(msg)
