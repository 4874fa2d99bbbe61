"""The services behind the API, over adapters that are open."""

from base64 import b64decode
from datetime import timedelta

from control_plane.api.cookies import Cookies
from control_plane.api.services import Services
from control_plane.composition.adapters import Adapters
from control_plane.composition.people import compose_people
from control_plane.domain.access.token import token_hash
from control_plane.domain.broker import vhost_of
from control_plane.embedded.rates import MemoryRateCounters
from control_plane.metrics import Metrics
from control_plane.outside.oidc.trusted import TrustedTokens
from control_plane.outside.prometheus import Prometheus
from control_plane.outside.webhooks import HttpWebhooks
from control_plane.postgres.access import PostgresAccessBook
from control_plane.postgres.audit import PostgresAuditLog
from control_plane.postgres.changes import PostgresChanges
from control_plane.postgres.configs import PostgresConfigs
from control_plane.postgres.credentials import PostgresCredentials
from control_plane.postgres.history import PostgresHistory
from control_plane.postgres.named_snapshots import PostgresNamedSnapshots
from control_plane.postgres.policies import PostgresPolicies
from control_plane.postgres.probe import KeyProbe, PostgresProbe, ReplicaProbe
from control_plane.postgres.proposals import PostgresProposals
from control_plane.postgres.receipts import PostgresReceipts
from control_plane.postgres.registry import PostgresRegistry
from control_plane.postgres.renewal import PostgresRenewal
from control_plane.postgres.revocations import PostgresRevocations
from control_plane.postgres.rollouts import PostgresRollouts
from control_plane.postgres.rules import PostgresRules
from control_plane.postgres.schemas import PostgresSchemas
from control_plane.postgres.sealing.data_keys import DataKeys
from control_plane.postgres.sealing.seals import Seals
from control_plane.postgres.search import PostgresSearch
from control_plane.postgres.signing_keys import PostgresSigningKeys
from control_plane.postgres.templates import PostgresTemplates
from control_plane.postgres.transfer import PostgresTransfer
from control_plane.rabbitmq.probe import RabbitProbe
from control_plane.services.access import Access
from control_plane.services.admission import Admission
from control_plane.services.api_keys import ApiKeys
from control_plane.services.audit import Audit
from control_plane.services.bindings import Bindings
from control_plane.services.broker_credentials import BrokerCredentials
from control_plane.services.checks import Checks
from control_plane.services.client_credentials import ClientCredentials
from control_plane.services.denials import Denials
from control_plane.services.explaining import Explaining
from control_plane.services.feed import Feed
from control_plane.services.fleet import Fleet
from control_plane.services.gates.concerned import Concerned
from control_plane.services.gates.evidences import Evidences
from control_plane.services.gates.judges import Judges
from control_plane.services.hindsight import Hindsight
from control_plane.services.identity.access_tokens import AccessTokens
from control_plane.services.identity.enrolment import Enrolment
from control_plane.services.identity.revoking import Revoking
from control_plane.services.identity.trusted_issuers import TrustedIssuers
from control_plane.services.identity.uses import Uses
from control_plane.services.keys.keeping import KeyKeeping
from control_plane.services.keys.signatures import Signatures
from control_plane.services.keys.signing import SigningKeys
from control_plane.services.preview import Previews
from control_plane.services.proposals import Proposals
from control_plane.services.publishing import Publishing
from control_plane.services.rates import Rates
from control_plane.services.retirement import Retirement
from control_plane.services.reveals import Reveals
from control_plane.services.roles import RoleKeeping
from control_plane.services.rollouts.acting import Acting
from control_plane.services.rollouts.moving import Moving
from control_plane.services.rollouts.previewing import Previewing
from control_plane.services.rollouts.showing import Showing
from control_plane.services.rules import Rules
from control_plane.services.schemas import SchemaKeeping
from control_plane.services.sealing import Sealer
from control_plane.services.snapshots import Snapshots
from control_plane.services.transfer import Transfers
from control_plane.services.usage import Usage
from control_plane.settings.model import Settings
from control_plane.starting import ourselves
from shared.runtime.clock import SystemClock


async def compose(settings: Settings, adapters: Adapters, metrics: Metrics) -> Services:
    """The services of a replica, ready to serve."""
    clock = SystemClock()
    pool, reads, lossy, outside = adapters.pool, adapters.reads, adapters.lossy, adapters.outside
    data_keys = DataKeys(pool, adapters.encryption, clock)
    seals = Seals(data_keys)
    renewal = PostgresRenewal(pool, data_keys, seals, adapters.encryption)
    changes, configs, registry = (
        PostgresChanges(pool, seals, reads),
        PostgresConfigs(pool, seals, reads),
        PostgresRegistry(pool, reads),
    )
    credentials, named = PostgresCredentials(pool, data_keys.digests), PostgresNamedSnapshots(pool)
    access_book = PostgresAccessBook(pool)
    bindings = Bindings(access_book, clock)
    signing_keys = SigningKeys(PostgresSigningKeys(pool), adapters.encryption, clock, ourselves())
    await signing_keys.load()
    revoking = Revoking(PostgresRevocations(pool))
    await revoking.load()
    access_tokens = AccessTokens(signing_keys, revoking, clock)
    uses = Uses(credentials, clock)
    trusted = [(each, TrustedTokens(adapters.outside, each, clock)) for each in settings.issuers]
    vouching = TrustedIssuers(trusted, bindings, revoking)
    access = Access(credentials, clock, bindings, [access_tokens, vouching], revoking, uses=uses)
    if settings.bootstrap_token:
        await credentials.ensure_operator(token_hash(settings.bootstrap_token), ourselves())
    audit = Audit(PostgresAuditLog(pool, reads))
    signatures = Signatures(signing_keys)
    if adapters.publisher is not None:
        adapters.publisher.sign = signatures.message
    feed = Feed(changes, metrics, clock, signatures.message)
    await feed.load()
    snapshots = Snapshots(configs, feed, lossy.cache, metrics, clock, signatures=signatures)
    await snapshots.warm(await registry.environments(settings.warm_limit))
    book = PostgresRules(pool, seals)
    rules = Rules(book)
    fleet = Fleet(lossy.presence, changes, clock)
    checks = Checks(book)
    publishing = Publishing(
        changes,
        rules=rules,
        checks=checks,
        feed=feed,
        notices=lossy.notices,
        metrics=metrics,
        limits=settings.limits,
    )
    judges = Judges.over(
        lossy.presence,
        lossy.evidence,
        Prometheus(outside, settings.sources),
        HttpWebhooks(outside, settings.webhooks),
        clock,
    )
    store = PostgresRollouts(pool, seals)
    acting = Acting(store, Moving(book, publishing), judges, clock)
    showing = Showing(store, book, fleet, lossy.evidence, clock)
    previews = Previews(changes, rules=rules, checks=checks, fleet=fleet, publishing=publishing)
    rates = Rates(settings.rates, lossy.rate_counters, MemoryRateCounters(clock), clock, metrics)
    denials = Denials(audit, clock)
    people = compose_people(settings, adapters, bindings, rates, denials)
    return Services(
        publishing=publishing,
        proposals=Proposals(PostgresProposals(pool, seals), publishing, rules, settings.limits, clock),
        rollouts=store,
        acting=acting,
        showing=showing,
        previewing=Previewing(
            acting, showing, previews, snapshots=snapshots, registry=registry, fleet=fleet, clock=clock
        ),
        policies=PostgresPolicies(pool),
        templates=PostgresTemplates(pool),
        previews=previews,
        rules=rules,
        schemas=SchemaKeeping(PostgresSchemas(pool), book, rules),
        changes=changes,
        configs=configs,
        registry=registry,
        receipts=PostgresReceipts(pool, seals),
        access=access,
        bindings=bindings,
        roles=RoleKeeping(access_book, bindings, access),
        explaining=Explaining(bindings, credentials),
        api_keys=ApiKeys(credentials, access, clock, bindings),
        uses=uses,
        access_tokens=access_tokens,
        client_credentials=ClientCredentials(
            access, access_tokens, rates, timedelta(seconds=settings.access_token_lifetime)
        ),
        enrolment=Enrolment(access_tokens, signing_keys, timedelta(seconds=settings.agent_credential_lifetime)),
        enrolment_required=settings.agent_enrolment == "required",
        agents_certified=settings.tls_client_certificates == "agents",
        revoking=revoking,
        signing_keys=signing_keys,
        renewal=renewal,
        key_keeping=KeyKeeping(renewal, signing_keys, adapters.encryption, audit),
        signatures=signatures,
        broker_credentials=BrokerCredentials(
            signing_keys,
            vhost_of(settings.amqp_url) if settings.amqp_url else None,
            settings.broker_credential_lifetime,
            clock,
        ),
        admission=Admission(settings.transfers, settings.transfers_waiting, metrics),
        rates=rates,
        audit=audit,
        denials=denials,
        **vars(people),
        reveals=Reveals(audit, clock),
        snapshots=snapshots,
        fleet=fleet,
        evidences=Evidences(lossy.evidence, lossy.alarms, clock, Concerned(store, clock)),
        judges=judges,
        searching=PostgresSearch(reads),
        usage=Usage(lossy.read_counters, fleet, snapshots, clock),
        retirement=Retirement(registry, fleet, feed, lossy.notices, metrics),
        named_snapshots=named,
        transfers=Transfers(PostgresTransfer(pool, seals, reads), registry, settings.limits, _sealer(settings)),
        hindsight=Hindsight.over(
            PostgresHistory(pool, seals, reads),
            PostgresHistory(pool, seals),
            changes=changes,
            configs=configs,
            registry=registry,
            named=named,
            limits=settings.limits,
        ),
        feed=feed,
        probes=[
            PostgresProbe(pool),
            KeyProbe(pool, adapters.encryption),
            *([ReplicaProbe(reads)] if settings.database_replica_url else []),
            *([adapters.encryption] if settings.encryption_by != "local" else []),
            *lossy.probes,
            *([RabbitProbe(adapters.publisher)] if adapters.publisher else []),
        ],
        metrics=metrics,
        limits=settings.limits,
        clock=clock,
        heartbeat_interval=settings.heartbeat_interval,
        proxies=settings.proxies,
        edge=settings.edge,
        cookies=Cookies(plain=settings.plain_cookies),
    )


def _sealer(settings: Settings) -> Sealer | None:
    return Sealer(b64decode(settings.seal_key)) if settings.seal_key else None
