"""Who may connect, by which names, and from which pages."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, PositiveInt

from control_plane.settings.checks import host_names, origins


class EdgeSettings(BaseModel):
    """The edge towards the network."""

    public_hosts: Annotated[str, AfterValidator(host_names)] = Field(
        "",
        description="The names by which the API is called, with commas between: a request with another Host is refused. "
        "Addresses and `localhost` always will do. Empty: any name, but on loopback without a trusted proxy no other.",
    )
    cors_origins: Annotated[str, AfterValidator(origins)] = Field(
        "",
        description="Origins whose pages may call the API from a browser, as in `https://tools.example.com`, with commas "
        "between. No cookies are ever sent along. Empty: none.",
    )
    max_connections: PositiveInt = Field(
        20_000, description="Connections at the same time; one more is told 503 and closed."
    )
    max_connections_per_address: PositiveInt = Field(
        15_000,
        description="The same from one address (of IPv6: from one /64), trusted proxies apart. A fleet behind one address "
        "has one connection or two for each agent.",
    )
