"""Which settings can be taken up while the agent runs, and by which of its parts."""

from dataclasses import dataclass

from agent.files.renderer import Renderer
from agent.life.reloading import Take
from agent.local_api.view import AgentView
from agent.ports import Feed
from agent.probing.probing import Probing
from agent.settings.model import Settings
from agent.snapshot.own import own_attributes
from agent.sync.fallback import Fallback
from agent.sync.proving import Proving
from agent.upstream.amqp import AmqpFeed
from agent.upstream.enrolment import Enrolment
from shared.domain.context import Attribute
from shared.runtime import logs


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """Each method is for some settings; all others wait for a new start."""

    view: AgentView
    own: dict[str, Attribute]
    """What the agent knows of itself; all contexts refer to this one."""
    enrolment: Enrolment
    feeds: list[Feed]
    renderer: Renderer
    probing: Probing
    proving: Proving
    fallback: Fallback

    def takers(self) -> dict[str, Take]:
        """Who takes up what, by the names of settings."""
        by_taker: dict[Take, tuple[str, ...]] = {
            self._logs: ("log_level", "log_format"),
            self._labels: ("labels",),
            self._token: ("token", "token_file"),
            self._probe: ("probe", "probe_interval", "probe_timeout", "probe_failures"),
            self._policy: ("max_staleness", "require_fresh"),
            self._proof: ("proven_after", "fallback", "fallback_after"),
            self._files: ("files", "file_sets"),
        }
        if any(isinstance(each, AmqpFeed) for each in self.feeds):
            by_taker[self._broker] = ("amqp_url", "amqp_url_file")
        return {name: take for take, names in by_taker.items() for name in names}

    def _logs(self, new: Settings) -> None:
        logs.configure(new.log_level, new.log_format)

    def _labels(self, new: Settings) -> None:
        """Rules may go by them: whoever keeps answers has to ask again."""
        identity = self.view.identity
        identity.labels.clear()
        identity.labels.update(new.labels)
        self.own.clear()
        self.own.update(own_attributes(identity.instance, new.app_id, new.environment, new.labels))
        self.view.store.show_again()

    def _token(self, new: Settings) -> None:
        self.enrolment.authorize(new.token)

    def _broker(self, new: Settings) -> None:
        """For the next connection; without a broker the one that we had is as good as any."""
        for each in self.feeds:
            if isinstance(each, AmqpFeed) and new.amqp_url:
                each.go_to(new.amqp_url)

    def _probe(self, new: Settings) -> None:
        self.view.health.failures = new.probe_failures
        self.probing.aim(new.probe, interval=new.probe_interval, timeout=new.probe_timeout)

    def _policy(self, new: Settings) -> None:
        self.view.policy.max_staleness, self.view.policy.require_fresh = new.max_staleness, new.require_fresh

    def _proof(self, new: Settings) -> None:
        self.proving.bake(new.proven_after)
        self.fallback.allow(enabled=new.fallback, after=new.fallback_after)

    def _files(self, new: Settings) -> None:
        self.renderer.take(new.all_sets)
