"""`GET /applications/{app}/environments/{environment}/configurations/{profile}`: AppConfig's one way to read.

A profile is a config of that name, given as it is, or else the flags whose keys begin with the profile and a dot.
"""

from agent.local_api.answers import Answers, Body
from agent.local_api.appconfig.failure import failure
from agent.local_api.appconfig.question import Profile, context_in, flags_in, profile_in
from agent.local_api.appconfig.shape import flag_of
from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError, no_value, not_ready
from agent.local_api.guard import Guard
from agent.local_api.replies import TEXT, Form, reply
from agent.local_api.reply import JSON, Reply
from agent.local_api.view import AgentView
from shared.domain.codec import decode, encode, fragment
from shared.domain.context import EvaluationContext
from shared.domain.resolution import Reason, Resolution
from shared.wire.problem import Problem, ProblemType

_VARY = "Context, Entity-Id, Authorization"
_MAX_TOLD = 255


class Profiles:
    """The face."""

    def __init__(self, view: AgentView, answers: Answers, guard: Guard) -> None:
        self._store, self._own, self._usage = view.store, view.own, view.usage
        self._answers, self._guard = answers, guard

    def read(self, asked: Asked) -> Reply:
        """A document, some flags or all flags of a profile; or a text that says why not."""
        try:
            return self._read(asked)
        except ProblemError as error:
            return failure(error.problem)

    def _read(self, asked: Asked) -> Reply:
        if not self._store.ready:
            raise not_ready()
        profile = self._own_profile(asked.path)
        context, named = context_in(asked.headers, self._own), flags_in(asked)
        document = None if named else self._resolved(profile.name, context)
        if document is not None:
            return self._document(asked, profile.name, document)
        flags = self._named(asked, profile, context, named) if named else self._all(asked, profile, context)
        content = next(iter(flags.values())) if len(named) == 1 else _joined(flags)
        return self._reply(asked, content, JSON)

    def _own_profile(self, path: str) -> Profile:
        profile, snapshot = profile_in(path), self._store.current
        if (profile.app_id, profile.environment) != (snapshot.app_id, snapshot.environment):
            ours = f"/applications/{snapshot.app_id}/environments/{snapshot.environment}"
            detail = f"This agent serves {ours} and no other."
            raise _missing(detail)
        return profile

    def _document(self, asked: Asked, key: str, resolution: Resolution) -> Reply:
        """A config of the profile's very name: a text as it is, anything else as JSON."""
        if resolution.effective.entry.sensitive:
            self._guard.require_sensitive(asked, key)
        if not resolution.value:
            raise no_value(key, resolution.error)
        self._usage.keys[key] += 1
        self._usage.reasons[resolution.reason.value] += 1
        value = decode(resolution.value)
        return self._reply(asked, *((value.encode(), TEXT) if isinstance(value, str) else (resolution.value, JSON)))

    def _named(self, asked: Asked, profile: Profile, context: EvaluationContext, names: list[str]) -> dict[str, bytes]:
        flags = {}
        for name in names:
            key = f"{profile.name}.{name}"
            resolution = self._resolved(key, context)
            if resolution is None or not resolution.value:
                self._usage.reasons[Reason.ERROR.value] += 1
                detail = f"There is no flag {_told(name)} in {_told(profile.name)} (the config {_told(key)})."
                raise _missing(detail)
            if resolution.effective.entry.sensitive:
                self._guard.require_sensitive(asked, key)
            self._usage.keys[key] += 1
            self._usage.reasons[resolution.reason.value] += 1
            flags[name] = flag_of(resolution)
        return flags

    def _all(self, asked: Asked, profile: Profile, context: EvaluationContext) -> dict[str, bytes]:
        """All flags of a profile but those that this request may not see."""
        prefix, shown = f"{profile.name}.", self._guard.shows_sensitive(asked)
        keys = sorted(key for key in self._store.current.effective if key.startswith(prefix))
        if not keys:
            name = _told(profile.name)
            detail = f"There is no config {name}, and none whose key begins with {_told(prefix)}."
            raise _missing(detail)
        self._usage.bulk += 1
        flags = {}
        for key in keys:
            resolution = self._resolved(key, context)
            if resolution is not None and resolution.value and (shown or not resolution.effective.entry.sensitive):
                self._usage.reasons[resolution.reason.value] += 1
                flags[key.removeprefix(prefix)] = flag_of(resolution)
        return flags

    def _resolved(self, key: str, context: EvaluationContext) -> Resolution | None:
        return self._answers.resolved(key, context)

    def _reply(self, asked: Asked, content: bytes, media: str) -> Reply:
        revision = self._store.current.revision
        made = reply(asked, Form(Body.of(content), media, _VARY), revision)
        # The one is what AWS's model of the API says, the other what its agent is shown to send.
        versions = (("ConfigurationVersion", str(revision)), ("Configuration-Version", str(revision)))
        return Reply(made.status, (*made.headers, *versions), made.body)


def _joined(flags: dict[str, bytes]) -> bytes:
    return encode({name: fragment(flag) for name, flag in flags.items()})


def _missing(detail: str) -> ProblemError:
    return ProblemError(Problem(ProblemType.NOT_FOUND, detail))


def _told(name: str) -> str:
    """A name as an answer may repeat it."""
    return repr(name[:_MAX_TOLD])
