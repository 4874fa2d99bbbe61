"""Services of others that may be asked, and where."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from control_plane.domain.gates.outside import Prefixes, Sources
from control_plane.domain.reachable import Reachable
from control_plane.settings.checks import SECRET, networks, prefixes, sources


class OutsideSettings(BaseModel):
    """What this replica may call."""

    prometheus_url: Annotated[str, AfterValidator(sources)] = Field(
        "",
        repr=False,
        json_schema_extra=SECRET,
        description="Where gates of the type metric find their numbers: a Prometheus, or several as `name=URL` with "
        "commas between; a gate that names none asks the first. Empty: there can be no such gates.",
    )
    webhook_urls: Annotated[str, AfterValidator(prefixes)] = Field(
        "",
        description="What URLs of gates of the type webhook may begin with (scheme, host, port and the beginning of the "
        "path), with commas between. Empty: there can be no such gates.",
    )

    outside_networks: Annotated[str, AfterValidator(networks)] = Field(
        "",
        description="Networks that are no public ones and may be asked nevertheless, with commas between, for example "
        "`10.0.0.0/8`: webhooks are usually within a company. Without it only public addresses are, and hosts of "
        "settings that are whole URLs, also in private networks.",
    )

    @property
    def reachable(self) -> Reachable:
        """Where this replica may connect to on somebody's behalf."""
        allowed = Reachable.parse(self.outside_networks).naming(self.webhooks.origins, private=False)
        return allowed.naming(self.sources.urls.values(), private=True)

    @property
    def sources(self) -> Sources:
        """The Prometheus servers that gates may ask."""
        return Sources.parse(self.prometheus_url)

    @property
    def webhooks(self) -> Prefixes:
        """The webhooks that gates may ask."""
        return Prefixes.parse(self.webhook_urls)
