"""The current entries and their versions, found in each way that they are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from control_plane.domain.change import Config, ConfigVersion
from control_plane.domain.search import Found, Search
from control_plane.ports.pages import Page
from shared.domain.scope import Revisions
from shared.wire.snapshot import SnapshotDocument


@dataclass(frozen=True, slots=True)
class ConfigFilter:
    """Which configs to list; every given field narrows. `app_id` "" means: of no application (global).

    `labels` are those that a config must have, None for any value.
    """

    app_id: str | None = None
    environment: str | None = None
    scope: str | None = None
    prefix: str | None = None
    text: str | None = None
    include_deleted: bool = False
    owner: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)
    include_archived: bool = True
    kind: str | None = None


class Configs(Protocol):
    """The current entries and their versions."""

    async def get(self, config_id: UUID) -> Config:
        """One config by id, deleted ones too.

        Raises:
            NotFoundError: there is none.
        """
        ...

    async def list(self, where: ConfigFilter, *, limit: int, cursor: str | None) -> Page[Config]:
        """Configs in the order of application, environment and key."""
        ...

    async def value(self, config_id: UUID, version: int) -> bytes:
        """What one version of a config holds, a secret too: to be put again, never to be shown.

        Raises:
            NotFoundError: there is no such version, or it holds no value.
        """
        ...

    async def versions(self, config_id: UUID, *, limit: int, cursor: str | None) -> Page[ConfigVersion]:
        """The versions of one config, newest first.

        Raises:
            NotFoundError: there is no such config.
        """
        ...

    async def snapshot(self, app_id: str, environment: str, since: Revisions | None) -> SnapshotDocument:
        """What an app/environment sees, or what changed in it since, read in one instant. Sensitive values included.

        Raises:
            NotFoundError: the application or the environment is not registered.
        """
        ...


class Searching(Protocol):
    """Finds configs by what is in them. Values of sensitive ones are never looked into."""

    async def search(self, search: Search, *, limit: int, cursor: str | None) -> Page[Found]:
        """Configs in the order of application, environment and key.

        A page may be short although another one follows.
        """
        ...
