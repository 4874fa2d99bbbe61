"""All settings together."""

from pydantic import ConfigDict

from control_plane.domain.edge import Edge
from control_plane.domain.rates import origin
from control_plane.settings.edge import EdgeSettings
from control_plane.settings.identity import IdentitySettings
from control_plane.settings.issuers import IssuerSettings
from control_plane.settings.key_keepers import KeyKeeperSettings
from control_plane.settings.outside import OutsideSettings
from control_plane.settings.people import PeopleSettings
from control_plane.settings.secrecy import SecrecySettings
from control_plane.settings.serving import ServingSettings
from control_plane.settings.sizes import SizeSettings
from control_plane.settings.stores import StoreSettings
from control_plane.settings.tls import TlsSettings
from control_plane.settings.traffic import TrafficSettings
from shared.runtime.crowd import Crowd
from shared.runtime.listen import Listen


# The last one's fields come first.
class Settings(
    SizeSettings,
    EdgeSettings,
    TrafficSettings,
    OutsideSettings,
    KeyKeeperSettings,
    SecrecySettings,
    IssuerSettings,
    PeopleSettings,
    IdentitySettings,
    TlsSettings,
    ServingSettings,
    StoreSettings,
):
    """What can be set. Each field is the variable `TRIMTAB_<FIELD>`; a secret can come from a file instead."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    @property
    def edge(self) -> Edge:
        """By which names, and for whose pages, the API is there."""
        local = Listen.parse(self.listen).local and not self.trusted_proxies
        return Edge.parse(self.public_hosts, self.cors_origins, local=local)

    @property
    def crowd(self) -> Crowd:
        """The connections that there may be."""
        proxies = self.proxies
        return Crowd(self.max_connections, self.max_connections_per_address, origin, proxies.trusts)
