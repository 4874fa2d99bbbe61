"""What lets people in, put together."""

from dataclasses import dataclass

from control_plane.composition.adapters import Adapters
from control_plane.outside.oidc.provider import OidcProvider
from control_plane.postgres.users import PostgresUsers
from control_plane.services.denials import Denials
from control_plane.services.people.accounts import Accounts
from control_plane.services.people.federation import Federation
from control_plane.services.people.logins import Logins
from control_plane.services.people.passwords import Passwords
from control_plane.services.people.sessions import Granting, Sessions
from control_plane.services.rates import Rates
from control_plane.settings.model import Settings
from shared.runtime.clock import SystemClock


@dataclass(frozen=True)
class People:
    """The services for people, by their names."""

    accounts: Accounts
    logins: Logins
    sessions: Sessions
    federation: Federation


def compose_people(
    settings: Settings, adapters: Adapters, granting: Granting, rates: Rates, denials: Denials
) -> People:
    """The services for people, over adapters that are open."""
    clock, users, passwords = SystemClock(), PostgresUsers(adapters.pool), Passwords()
    sessions = Sessions(adapters.lossy.sessions, users, granting, clock, settings.lifetime)
    provider = None
    if settings.provider is not None:
        provider = OidcProvider(adapters.outside, settings.provider, clock)
    return People(
        accounts=Accounts(users, passwords, sessions, granting),
        logins=Logins(users, passwords, sessions, guesses=adapters.lossy.guesses, rates=rates, denials=denials),
        sessions=sessions,
        federation=Federation(provider, users, sessions, adapters.lossy.tickets, rates),
    )
