"""How a replica serves, and what it says about itself."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, PositiveFloat

from control_plane.domain.proxies import TrustedProxies
from control_plane.settings.checks import listen_address, proxies


class ServingSettings(BaseModel):
    """Listening, agents and logs."""

    listen: Annotated[str, AfterValidator(listen_address)] = Field(
        "127.0.0.1:8080", description="Where the API listens: `host:port` or `unix:/path`."
    )
    trusted_proxies: Annotated[str, AfterValidator(proxies)] = Field(
        "",
        description="Proxies whose word about where a request comes from is taken: addresses and networks "
        "(`10.0.0.0/8, ::1`), `unix` for a unix socket. Empty: whoever is connected is who it comes from.",
    )
    trusted_proxy_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for", description="The header in which all of these proxies say it; the other one is ignored."
    )
    heartbeat_interval: PositiveFloat = Field(
        3.0, description="Seconds between heartbeats to agents. An agent that hears none for three of them resyncs."
    )
    warm_limit: int = Field(
        200, ge=0, description="App/environments whose snapshots are compiled at start, before the first request."
    )
    shutdown_grace: PositiveFloat = Field(
        2.0, description="Seconds that running requests get to finish when the process is told to stop."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe level logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or lines for a person.")

    @property
    def proxies(self) -> TrustedProxies:
        """The proxies that are trusted."""
        return TrustedProxies.parse(self.trusted_proxies, self.trusted_proxy_header)
