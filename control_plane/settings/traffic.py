"""How much callers may ask of a replica."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, NonNegativeInt, PositiveInt

from control_plane.domain.rates import Kind, Rate
from control_plane.settings.checks import rate


class TrafficSettings(BaseModel):
    """Rate limits and the admission of herds."""

    rate_reads: Annotated[str, AfterValidator(rate)] = Field(
        "2000/s:20000",
        description="How often one principal may read: so many a second (`/m`, `/h`: a minute, an hour), and behind the "
        "colon how many at once; `off`: as often as it likes. Replicas count together where there is Redis.",
    )
    rate_writes: Annotated[str, AfterValidator(rate)] = Field(
        "1000/s:20000", description="How often one principal may do anything else."
    )
    rate_agents: Annotated[str, AfterValidator(rate)] = Field(
        "1000/s:20000",
        description="How often one agent's credential may fetch and report from one address. Each replica for itself.",
    )
    rate_addresses: Annotated[str, AfterValidator(rate)] = Field(
        "4000/s:40000",
        description="How often all principals together may ask from one address (of IPv6: from one /64), agents apart. "
        "Each replica for itself.",
    )
    rate_refusals: Annotated[str, AfterValidator(rate)] = Field(
        "20/s:1000",
        description="How often one address may come with credentials that are not known. Then it is refused before they "
        "are looked at, but for those that were good a moment ago. Each replica for itself.",
    )
    rate_logins: Annotated[str, AfterValidator(rate)] = Field(
        "12/m:20", description="How often somebody may log in, or get a token, under one name."
    )
    rate_login_addresses: Annotated[str, AfterValidator(rate)] = Field(
        "2/s:200", description="How often somebody may log in, or get a token, from one address."
    )

    transfers: PositiveInt = Field(
        16,
        description="How many snapshots a replica compiles, or sends where they are large, at the same time. Deltas and "
        "what did not change are not counted.",
    )
    transfers_waiting: NonNegativeInt = Field(
        512, description="How many may wait for that; the others get 503 and come again after some seconds."
    )

    @property
    def rates(self) -> dict[Kind, Rate | None]:
        """What each kind of request is limited to; None: not at all."""
        return {kind: Rate.parse(getattr(self, f"rate_{kind.replace('-', '_')}")) for kind in Kind}
