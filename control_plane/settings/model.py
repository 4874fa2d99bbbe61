"""All settings together."""

from pydantic import ConfigDict

from control_plane.settings.identity import IdentitySettings
from control_plane.settings.outside import OutsideSettings
from control_plane.settings.secrecy import SecrecySettings
from control_plane.settings.serving import ServingSettings
from control_plane.settings.sizes import SizeSettings
from control_plane.settings.stores import StoreSettings
from control_plane.settings.traffic import TrafficSettings


# The last one's fields come first.
class Settings(
    SizeSettings,
    TrafficSettings,
    OutsideSettings,
    SecrecySettings,
    IdentitySettings,
    ServingSettings,
    StoreSettings,
):
    """What can be set. Each field is the variable `TRIMTAB_<FIELD>`; a secret can come from a file instead."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)
