"""Everything that handlers may use; composed in `control_plane/composition`."""

from collections.abc import Sequence
from dataclasses import dataclass

from control_plane.api.cookies import SAFE_COOKIES, Cookies
from control_plane.domain.edge import ANY_HOST, Edge
from control_plane.domain.limits import Limits
from control_plane.domain.proxies import NO_PROXIES, TrustedProxies
from control_plane.metrics import Metrics
from control_plane.ports.changes import Changes
from control_plane.ports.configs import Configs, Searching
from control_plane.ports.credentials import Receipts
from control_plane.ports.gates import Judge
from control_plane.ports.history import NamedSnapshots
from control_plane.ports.keys import Renewal
from control_plane.ports.probes import Probe
from control_plane.ports.registry import Registry
from control_plane.ports.rollouts import Rollouts, Templates
from control_plane.ports.rules import Policies
from control_plane.services.access import Access
from control_plane.services.admission import Admission
from control_plane.services.api_keys import ApiKeys
from control_plane.services.audit import Audit
from control_plane.services.bindings import Bindings
from control_plane.services.broker_credentials import BrokerCredentials
from control_plane.services.client_credentials import ClientCredentials
from control_plane.services.denials import Denials
from control_plane.services.explaining import Explaining
from control_plane.services.feed import Feed
from control_plane.services.fleet import Fleet
from control_plane.services.gates.evidences import Evidences
from control_plane.services.hindsight import Hindsight
from control_plane.services.identity.access_tokens import AccessTokens
from control_plane.services.identity.enrolment import Enrolment
from control_plane.services.identity.revoking import Revoking
from control_plane.services.identity.uses import Uses
from control_plane.services.keys.keeping import KeyKeeping
from control_plane.services.keys.signatures import Signatures
from control_plane.services.keys.signing import SigningKeys
from control_plane.services.people.accounts import Accounts
from control_plane.services.people.federation import Federation
from control_plane.services.people.logins import Logins
from control_plane.services.people.sessions import Sessions
from control_plane.services.preview import Previews
from control_plane.services.proposals import Proposals
from control_plane.services.publishing import Publishing
from control_plane.services.rates import Rates
from control_plane.services.retirement import Retirement
from control_plane.services.reveals import Reveals
from control_plane.services.roles import RoleKeeping
from control_plane.services.rollouts.acting import Acting
from control_plane.services.rollouts.previewing import Previewing
from control_plane.services.rollouts.showing import Showing
from control_plane.services.rules import Rules
from control_plane.services.schemas import SchemaKeeping
from control_plane.services.snapshots import Snapshots
from control_plane.services.transfer import Transfers
from control_plane.services.usage import Usage
from shared.runtime.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services and ports behind the API. `heartbeat_interval` is in seconds."""

    publishing: Publishing
    proposals: Proposals
    rollouts: Rollouts
    acting: Acting
    showing: Showing
    previewing: Previewing
    policies: Policies
    templates: Templates
    rules: Rules
    schemas: SchemaKeeping
    previews: Previews
    changes: Changes
    configs: Configs
    registry: Registry
    receipts: Receipts
    access: Access
    bindings: Bindings
    roles: RoleKeeping
    explaining: Explaining
    api_keys: ApiKeys
    uses: Uses
    access_tokens: AccessTokens
    client_credentials: ClientCredentials
    enrolment: Enrolment
    revoking: Revoking
    signing_keys: SigningKeys
    accounts: Accounts
    logins: Logins
    sessions: Sessions
    federation: Federation
    renewal: Renewal
    key_keeping: KeyKeeping
    signatures: Signatures
    broker_credentials: BrokerCredentials
    rates: Rates
    admission: Admission
    audit: Audit
    denials: Denials
    reveals: Reveals
    snapshots: Snapshots
    named_snapshots: NamedSnapshots
    transfers: Transfers
    hindsight: Hindsight
    fleet: Fleet
    evidences: Evidences
    judges: Judge
    retirement: Retirement
    searching: Searching
    usage: Usage
    feed: Feed
    probes: Sequence[Probe]
    metrics: Metrics
    limits: Limits
    clock: Clock
    enrolment_required: bool = False
    agents_certified: bool = False
    heartbeat_interval: float = 3.0
    proxies: TrustedProxies = NO_PROXIES
    edge: Edge = ANY_HOST
    cookies: Cookies = SAFE_COOKIES
