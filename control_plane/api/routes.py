"""The whole API on one screen: routing, validation, authorisation and the OpenAPI document are made of this table."""

from typing import Any

from control_plane.api.bodies.api_keys import ApiKeyView, NewApiKey, NewApiKeyView, Rotation
from control_plane.api.bodies.apps import (
    AgentTokenView,
    AppQuery,
    AppUpdate,
    AppView,
    Archival,
    DeletionQuery,
    DeletionView,
    EnvironmentView,
    NewAgentToken,
    NewAgentTokenView,
    NewApp,
    NewEnvironment,
)
from control_plane.api.bodies.audit import (
    AuditAnchorView,
    AuditArchival,
    AuditExportQuery,
    AuditQuery,
    AuditRecordView,
    AuditVerificationView,
    AuditVerifyQuery,
)
from control_plane.api.bodies.broker import BrokerCredentialView, KeySetView, NewBrokerCredential
from control_plane.api.bodies.changes import ChangeEdit, ChangeQuery, ChangeReceipt, ChangeView, NewChange
from control_plane.api.bodies.configs import (
    ConfigQuery,
    ConfigReceipt,
    ConfigUpdate,
    ConfigVersionView,
    ConfigView,
    DeleteQuery,
    EffectiveConfigs,
    Fetch,
    NewConfig,
)
from control_plane.api.bodies.fleet import AgentQuery, AgentReport, AgentView, ConvergenceView, NextReport
from control_plane.api.bodies.history import (
    CompareQuery,
    ComparisonView,
    DifferenceQuery,
    DifferenceView,
    EffectiveQuery,
    PastConfigs,
)
from control_plane.api.bodies.identity import EnrolledView, Enrolling, NewRevocation, RevocationView
from control_plane.api.bodies.keys import KeyRotation, KeysView
from control_plane.api.bodies.life import Closing, CommitNow, Decision, ReviewQuery, ReviewView, Scheduling, Step
from control_plane.api.bodies.named_snapshots import NamedSnapshotView, NewNamedSnapshot
from control_plane.api.bodies.oauth import TokenErrorView, TokenView
from control_plane.api.bodies.operations import HealthView, ReadinessView
from control_plane.api.bodies.pages import PageQuery
from control_plane.api.bodies.people import (
    CodeExchange,
    CurrentSessionView,
    Login,
    LoginMethodsView,
    LoginView,
    NewAccount,
    PasswordChange,
    PasswordReset,
    ProviderAnswer,
    ProviderLoginQuery,
    SessionView,
    UserView,
)
from control_plane.api.bodies.policies import PolicyBody, PolicyView
from control_plane.api.bodies.preview import PreviewView
from control_plane.api.bodies.roles import (
    BindingQuery,
    BindingView,
    ExplainQuery,
    ExplanationView,
    NewBinding,
    RoleBody,
    RoleView,
    WhoamiView,
)
from control_plane.api.bodies.rollout_preview import RolloutPreviewView
from control_plane.api.bodies.rollout_templates import TemplateBody, TemplateQuery, TemplateView
from control_plane.api.bodies.rollout_views import RolloutEventView, RolloutSummary, RolloutView
from control_plane.api.bodies.rollouts import (
    Approving,
    EventQuery,
    NewRollout,
    Promoting,
    RolloutAction,
    RolloutOverrides,
    RolloutQuery,
    Starting,
)
from control_plane.api.bodies.schemas import NewSchema, SchemaQuery, SchemaTrialView, SchemaView
from control_plane.api.bodies.search import FoundView, SearchQuery
from control_plane.api.bodies.snapshots import SnapshotQuery, SnapshotView
from control_plane.api.bodies.transfer import ExportQuery, ImportReceipt, NewImport
from control_plane.api.bodies.undo import Promotion, Restore, Revert, Rollback
from control_plane.api.bodies.usage import ReadsView, UnusedQuery, UnusedView
from control_plane.api.handlers import (
    api_keys,
    apps,
    audit,
    auth,
    broker,
    changes,
    configs,
    fleet,
    history,
    identity,
    keys,
    life,
    logins,
    named_snapshots,
    oauth,
    operations,
    policies,
    provider_logins,
    retirement,
    reviews,
    roles,
    rollout_templates,
    rollouts,
    schemas,
    search,
    signing,
    snapshots,
    transfer,
    undo,
    usage,
    users,
)
from control_plane.api.route import (
    DONE,
    ELSEWHERE,
    NO_CONTENT,
    NOT_MODIFIED,
    Repeat,
    Route,
    in_form,
    made,
    ok,
    page_of,
    refused,
    text,
)
from control_plane.api.staleness import STALE
from control_plane.domain.access.permission import Permission
from shared.wire.problem import ProblemType
from shared.wire.sse import CONTENT_TYPE as EVENT_STREAM

_APP = "/api/v1/apps/{app}"
_ENVIRONMENT = _APP + "/environments/{environment}"
_TOKENS = _ENVIRONMENT + "/agent-tokens"
_SNAPSHOT = "/api/v1/snapshots/{app}/{environment}"
_USER = "/api/v1/users/{user}"
_CONFIG = "/api/v1/configs/{id}"
_NAMED = "/api/v1/named-snapshots/{name}"
_RESTORE = "/api/v1/apps/{app}/environments/{environment}/restore"
_CHANGE = "/api/v1/changes/{change}"
_SCHEMA = "/api/v1/schemas/{id}"
_POLICY = "/api/v1/policies/{id}"
_ROLLOUT = "/api/v1/rollouts/{id}"
_ROLE = "/api/v1/roles/{role}"
_TEMPLATE = "/api/v1/rollout-templates/{template}"

P, E = Permission, ProblemType
_CHANGED = (made(ChangeReceipt), ok(ChangeReceipt))
_POLICED = (E.APPROVAL_REQUIRED, E.STAGING_REQUIRED, E.WINDOW_CLOSED)
_LOGIN = (E.TOO_MANY_REQUESTS, E.RATE_LIMITED, E.UNAVAILABLE)
_CHANGE_ERRORS = (E.NOT_FOUND, E.VERSION_MISMATCH, E.GUARDED, *_POLICED)
_MOVED = (ok(ChangeView, "ETag", "Location"),)
_REFUSALS = (*_CHANGE_ERRORS, E.CONFLICT)
_ROLLED = (E.NOT_FOUND, E.GUARDED, E.ROLLOUT_RUNNING, E.CONFLICT, *_POLICED)
_ACTED = (ok(RolloutView, "ETag", "Location"),)
_ACTING = (E.VERSION_MISMATCH, E.ROLLOUT_PHASE, E.ROLLOUT_MOVED)
IN_DRAFT, ANSWERED, SECRET = Repeat.IN_DRAFT, Repeat.ANSWERED, Repeat.SECRET

# fmt: off
# A table is read across:
#     method    path                         handler                  permission        answers                       body, query, more
ROUTES: tuple[Route[Any, Any], ...] = (
    Route("POST",   "/api/v1/apps",          apps.create_app,         P.APPS_WRITE,     (made(AppView),),             NewApp, repeat=ANSWERED),
    Route("GET",    "/api/v1/apps",          apps.list_apps,          P.APPS_READ,      (page_of(AppView),),          query=AppQuery, part=True),
    Route("PUT",    _APP,                    apps.update_app,         P.APPS_WRITE,     (ok(AppView),),               AppUpdate),
    Route("DELETE", _APP,                    retirement.delete_app,   P.APPS_WRITE,     (ok(DeletionView),),          query=DeletionQuery, errors=(E.CONFLICT,)),
    Route("POST",   _APP + "/archive",       retirement.archive_app,  P.APPS_WRITE,     (ok(AppView, "Location"),),   Archival, repeat=ANSWERED),
    Route("POST",   _APP + "/unarchive",     retirement.unarchive_app, P.APPS_WRITE,     (ok(AppView, "Location"),),   repeat=ANSWERED),
    Route("DELETE", _ENVIRONMENT,            retirement.delete_environment, P.APPS_WRITE, (ok(DeletionView),),        query=DeletionQuery, errors=(E.CONFLICT,)),
    Route("POST",   _ENVIRONMENT + "/archive", retirement.archive_environment, P.APPS_WRITE, (ok(AppView, "Location"),), Archival, repeat=ANSWERED),
    Route("POST",   _ENVIRONMENT + "/unarchive", retirement.unarchive_environment, P.APPS_WRITE, (ok(AppView, "Location"),), repeat=ANSWERED),
    Route("GET",    _APP,                    apps.get_app,            P.APPS_READ,      (ok(AppView),), part=True),
    Route("POST",   _APP + "/environments",  apps.create_environment, P.APPS_WRITE,     (made(EnvironmentView),),     NewEnvironment, repeat=ANSWERED),
    Route("GET",    _APP + "/environments",  apps.list_environments,  P.APPS_READ,      (page_of(EnvironmentView),),  query=AppQuery, part=True),
    Route("POST",   _TOKENS,                 apps.create_agent_token, P.TOKENS_WRITE,   (made(NewAgentTokenView),),   NewAgentToken, repeat=SECRET),
    Route("GET",    _TOKENS,                 apps.list_agent_tokens,  P.TOKENS_READ,    (page_of(AgentTokenView),),   query=PageQuery),
    Route("DELETE", _TOKENS + "/{id}",       apps.revoke_agent_token, P.TOKENS_WRITE,   (NO_CONTENT,)),

    Route("POST",   "/api/v1/configs",       configs.create_config,   P.CONFIGS_WRITE,  (made(ConfigReceipt, "ETag"), ok(ConfigReceipt)), NewConfig, repeat=IN_DRAFT, errors=(E.NOT_FOUND, E.GUARDED, *_POLICED), part=True),
    Route("GET",    "/api/v1/configs",       configs.list_configs,    P.CONFIGS_READ,   (page_of(ConfigView),),       query=ConfigQuery, part=True),
    Route("POST",   "/api/v1/configs/fetch", configs.fetch_configs,   P.CONFIGS_READ,   (ok(EffectiveConfigs, STALE),),      Fetch, errors=(E.NOT_FOUND,), part=True),
    Route("GET",    _ENVIRONMENT + "/reads",  usage.list_reads,       P.FLEET_READ,     (ok(ReadsView),),             query=PageQuery),
    Route("GET",    "/api/v1/unused",        usage.list_unused,       P.FLEET_READ,     (ok(UnusedView),),            query=UnusedQuery, errors=(E.NOT_FOUND,), part=True),
    Route("GET",    "/api/v1/search",        search.search_configs,   P.CONFIGS_READ,   (page_of(FoundView),),        query=SearchQuery, part=True),
    Route("GET",    _CONFIG,                 configs.get_config,      P.CONFIGS_READ,   (ok(ConfigView, "ETag"), NOT_MODIFIED), conditional=True, part=True),
    Route("PUT",    _CONFIG,                 configs.update_config,   P.CONFIGS_WRITE,  (ok(ConfigReceipt, "ETag"),), ConfigUpdate, if_match=True, errors=(E.GUARDED, *_POLICED), part=True),
    Route("DELETE", _CONFIG,                 configs.delete_config,   P.CONFIGS_WRITE,  (ok(ConfigReceipt),),         query=DeleteQuery, if_match=True, errors=(E.GUARDED, *_POLICED), part=True),
    Route("GET",    _CONFIG + "/versions",   configs.list_config_versions, P.CONFIGS_READ, (page_of(ConfigVersionView),), query=PageQuery, part=True),

    Route("GET",    _CONFIG + "/versions/{version}", history.get_config_version, P.CONFIGS_READ, (ok(ConfigVersionView),), part=True),
    Route("GET",    _CONFIG + "/difference", history.get_config_difference, P.CONFIGS_READ, (ok(DifferenceView),), query=DifferenceQuery, part=True),
    Route("POST",   _CONFIG + "/rollback",   undo.rollback_config,    P.CHANGES_PROPOSE, _CHANGED,                     Rollback, repeat=ANSWERED, errors=_CHANGE_ERRORS, part=True),

    Route("POST",   "/api/v1/changes",       changes.create_change,   P.CHANGES_PROPOSE, (made(ChangeReceipt), ok(ChangeReceipt)), NewChange, repeat=IN_DRAFT, errors=_CHANGE_ERRORS, part=True),
    Route("POST",   "/api/v1/changes/preview", changes.preview_change, P.CHANGES_PROPOSE, (ok(PreviewView),),          NewChange, errors=(*_CHANGE_ERRORS, E.CONFLICT), part=True),
    Route("GET",    "/api/v1/changes",       changes.list_changes,    P.CHANGES_READ,   (page_of(ChangeView),),       query=ChangeQuery, part=True),
    Route("GET",    _CHANGE,                 changes.get_change,      P.CHANGES_READ,   (ok(ChangeView),), part=True),
    Route("PATCH",  _CHANGE,                 life.edit_change,        P.CHANGES_PROPOSE, (ok(ChangeView, "ETag"),),   ChangeEdit, if_match=True, errors=_REFUSALS, part=True),
    Route("GET",    _CHANGE + "/preview",    life.preview_stored_change, P.CHANGES_READ, (ok(PreviewView),),           errors=_REFUSALS, part=True),
    Route("POST",   _CHANGE + "/submit",     life.submit_change,      P.CHANGES_PROPOSE, _MOVED,                      Step, repeat=ANSWERED, errors=_REFUSALS, part=True),
    Route("POST",   _CHANGE + "/approve",    life.approve_change,     P.CHANGES_APPROVE, _MOVED,                      Decision, repeat=ANSWERED, errors=_REFUSALS, part=True),
    Route("POST",   _CHANGE + "/reject",     life.reject_change,      P.CHANGES_APPROVE, _MOVED,                      Decision, repeat=ANSWERED, errors=_REFUSALS, part=True),
    Route("POST",   _CHANGE + "/withdraw",   life.withdraw_change,    P.CHANGES_PROPOSE, _MOVED,                      Decision, repeat=ANSWERED, errors=_REFUSALS, part=True),
    Route("POST",   _CHANGE + "/schedule",   life.schedule_change,    P.CHANGES_PROPOSE, _MOVED,                      Scheduling, repeat=ANSWERED, errors=_REFUSALS, part=True),
    Route("POST",   _CHANGE + "/commit",     life.commit_change,      P.CONFIGS_WRITE,  (ok(ChangeReceipt),),         CommitNow, repeat=ANSWERED, errors=_REFUSALS, part=True),
    Route("POST",   _CHANGE + "/revert",     undo.revert_change,      P.CHANGES_PROPOSE, _CHANGED,                     Revert, repeat=ANSWERED, errors=_CHANGE_ERRORS, part=True),
    Route("POST",   _RESTORE,                undo.restore_environment, P.CHANGES_PROPOSE, _CHANGED,                    Restore, repeat=ANSWERED, errors=_CHANGE_ERRORS),
    Route("POST",   "/api/v1/promotions",    undo.create_promotion,   P.CHANGES_PROPOSE, _CHANGED,                     Promotion, repeat=ANSWERED, errors=_CHANGE_ERRORS, part=True),
    Route("GET",    "/api/v1/effective/{app}/{environment}", history.get_effective, P.CONFIGS_READ, (ok(PastConfigs),), query=EffectiveQuery, part=True),
    Route("GET",    "/api/v1/compare",       history.compare,         P.CONFIGS_READ,   (ok(ComparisonView),),        query=CompareQuery, errors=(E.NOT_FOUND,), part=True),

    Route("GET",    _CHANGE + "/convergence", changes.get_convergence, P.FLEET_READ,    (ok(ConvergenceView),), part=True),

    Route("POST",   "/api/v1/schemas",       schemas.create_schema,   P.SCHEMAS_WRITE,  (made(SchemaView, "ETag"), ok(SchemaTrialView)), NewSchema, repeat=ANSWERED, errors=(E.NOT_FOUND,), part=True),
    Route("GET",    "/api/v1/schemas",       schemas.list_schemas,    P.SCHEMAS_READ,   (page_of(SchemaView),),       query=SchemaQuery, part=True),
    Route("GET",    _SCHEMA,                 schemas.get_schema,      P.SCHEMAS_READ,   (ok(SchemaView, "ETag"), NOT_MODIFIED), conditional=True, part=True),
    Route("PUT",    _SCHEMA,                 schemas.update_schema,   P.SCHEMAS_WRITE,  (ok(SchemaView | SchemaTrialView, "ETag"),), NewSchema, if_match=True, part=True),
    Route("DELETE", _SCHEMA,                 schemas.delete_schema,   P.SCHEMAS_WRITE,  (NO_CONTENT,),                if_match=True, part=True),
    Route("POST",   "/api/v1/policies",      policies.create_policy,  P.POLICIES_WRITE, (made(PolicyView, "ETag"),),  PolicyBody, repeat=ANSWERED),
    Route("GET",    "/api/v1/policies",      policies.list_policies,  P.POLICIES_READ,  (page_of(PolicyView),),       query=PageQuery, part=True),
    Route("GET",    _POLICY,                 policies.get_policy,     P.POLICIES_READ,  (ok(PolicyView, "ETag"),), part=True),
    Route("PUT",    _POLICY,                 policies.replace_policy, P.POLICIES_WRITE, (ok(PolicyView, "ETag"),),    PolicyBody, if_match=True),
    Route("DELETE", _POLICY,                 policies.delete_policy,  P.POLICIES_WRITE, (NO_CONTENT,),                if_match=True),
    Route("GET",    "/api/v1/reviews",       reviews.list_reviews,    P.CHANGES_READ,   (page_of(ReviewView),),       query=ReviewQuery),
    Route("POST",   "/api/v1/reviews/{id}/close", reviews.close_review, P.CHANGES_APPROVE, (ok(ReviewView),),         Closing, repeat=ANSWERED),

    Route("POST",   "/api/v1/rollouts",      rollouts.create_rollout, P.ROLLOUTS_WRITE, (made(RolloutView, "ETag"), ok(RolloutPreviewView)), NewRollout, repeat=ANSWERED, errors=_ROLLED, part=True),
    Route("POST",   "/api/v1/rollouts/preview", rollouts.preview_rollout, P.ROLLOUTS_WRITE, (ok(RolloutPreviewView),), NewRollout, errors=_ROLLED, part=True),
    Route("GET",    "/api/v1/rollouts",      rollouts.list_rollouts,  P.ROLLOUTS_READ,  (page_of(RolloutSummary),),   query=RolloutQuery, part=True),
    Route("GET",    _ROLLOUT,                rollouts.get_rollout,    P.ROLLOUTS_READ,  (ok(RolloutView, "ETag"),), part=True),
    Route("GET",    _ROLLOUT + "/events",    rollouts.list_rollout_events, P.ROLLOUTS_READ, (page_of(RolloutEventView),), query=EventQuery, part=True),
    Route("POST",   _ROLLOUT + "/start",     rollouts.start_rollout,  P.ROLLOUTS_OPERATE, _ACTED,                     Starting, repeat=ANSWERED, errors=(*_ROLLED, *_ACTING), part=True),
    Route("POST",   _ROLLOUT + "/pause",     rollouts.pause_rollout,  P.ROLLOUTS_OPERATE, _ACTED,                     RolloutAction, repeat=ANSWERED, errors=_ACTING, part=True),
    Route("POST",   _ROLLOUT + "/resume",    rollouts.resume_rollout, P.ROLLOUTS_OPERATE, _ACTED,                     RolloutAction, repeat=ANSWERED, errors=_ACTING, part=True),
    Route("POST",   _ROLLOUT + "/promote",   rollouts.promote_rollout, P.ROLLOUTS_OPERATE, _ACTED,                    Promoting, repeat=ANSWERED, errors=_ACTING, part=True),
    Route("POST",   _ROLLOUT + "/abort",     rollouts.abort_rollout,  P.ROLLOUTS_ABORT, _ACTED,                       RolloutAction, repeat=ANSWERED, errors=_ACTING, part=True),
    Route("POST",   _ROLLOUT + "/approve",   rollouts.approve_rollout, P.ROLLOUTS_APPROVE, _ACTED,                    Approving, repeat=ANSWERED, errors=_ACTING, part=True),
    Route("POST",   _ROLLOUT + "/clone",     rollouts.clone_rollout,  P.ROLLOUTS_WRITE, (made(RolloutView, "ETag"),), RolloutOverrides, repeat=ANSWERED, errors=_ROLLED, part=True),
    Route("GET",    "/api/v1/rollout-templates", rollout_templates.list_rollout_templates, P.ROLLOUTS_READ, (page_of(TemplateView),), query=PageQuery, part=True),
    Route("GET",    _TEMPLATE,               rollout_templates.get_rollout_template, P.ROLLOUTS_READ, (ok(TemplateView, "ETag"), NOT_MODIFIED), conditional=True, part=True),
    Route("PUT",    _TEMPLATE,               rollout_templates.put_rollout_template, P.ROLLOUTS_WRITE, (ok(TemplateView, "ETag"),), TemplateBody, errors=(E.VERSION_MISMATCH,)),
    Route("DELETE", _TEMPLATE,               rollout_templates.delete_rollout_template, P.ROLLOUTS_WRITE, (NO_CONTENT,), query=TemplateQuery, errors=(E.VERSION_MISMATCH,)),

    Route("GET",    _SNAPSHOT,               snapshots.get_snapshot,  P.SNAPSHOTS_READ, (ok(SnapshotView, "ETag", STALE), NOT_MODIFIED), query=SnapshotQuery, conditional=True),
    Route("GET",    _SNAPSHOT + "/watch",    snapshots.watch_snapshot, P.SNAPSHOTS_READ, (text("A stream of events.", EVENT_STREAM),), streams=True),
    Route("POST",   "/api/v1/named-snapshots", named_snapshots.create_named_snapshot, P.NAMED_SNAPSHOTS_WRITE, (made(NamedSnapshotView),), NewNamedSnapshot, repeat=ANSWERED, errors=(E.NOT_FOUND,)),
    Route("GET",    "/api/v1/named-snapshots", named_snapshots.list_named_snapshots,  P.NAMED_SNAPSHOTS_READ,  (page_of(NamedSnapshotView),), query=PageQuery, part=True),
    Route("GET",    _NAMED,                  named_snapshots.get_named_snapshot, P.NAMED_SNAPSHOTS_READ, (ok(NamedSnapshotView),), part=True),
    Route("DELETE", _NAMED,                  named_snapshots.delete_named_snapshot, P.NAMED_SNAPSHOTS_WRITE, (NO_CONTENT,)),

    Route("GET",    "/api/v1/export",        transfer.export_configs, P.EXPORTS_READ,   (in_form("The document."),), query=ExportQuery, errors=(E.NOT_FOUND,), streams=True, part=True),
    Route("POST",   "/api/v1/import",        transfer.import_configs, P.CHANGES_PROPOSE, (made(ImportReceipt), ok(ImportReceipt)), NewImport, repeat=ANSWERED, errors=_CHANGE_ERRORS, document=True, part=True),

    Route("GET",    "/api/v1/agents",        fleet.list_agents,       P.FLEET_READ,     (page_of(AgentView),),        query=AgentQuery, part=True),
    Route("POST",   "/api/v1/agents/report", fleet.report_agent,      P.FLEET_REPORT,   (ok(NextReport),),            AgentReport, part=True),
    Route("POST",   _ENVIRONMENT + "/broker-credentials", broker.create_broker_credential, P.FLEET_REPORT, (ok(BrokerCredentialView),), NewBrokerCredential),
    Route("GET",    "/api/v1/signing-keys",  signing.get_signing_keys, None,            (ok(KeySetView),)),
    Route("GET",    "/api/v1/broker-keys",   broker.get_broker_keys,  None,             (ok(KeySetView),)),

    Route("POST",   "/api/v1/agents/enrol",  identity.enrol_agent,    P.FLEET_REPORT,   (ok(EnrolledView),),          Enrolling, part=True, enrols=True),
    Route("POST",   "/api/v1/revocations",   identity.create_revocation, P.REVOCATIONS_WRITE, (made(RevocationView),), NewRevocation, repeat=ANSWERED),
    Route("GET",    "/api/v1/revocations",   identity.list_revocations, P.REVOCATIONS_READ, (page_of(RevocationView),), query=PageQuery),
    Route("POST",   "/oauth/token",          oauth.create_access_token, None,           (ok(TokenView), refused(400, TokenErrorView), refused(401, TokenErrorView)), errors=(E.TOO_LARGE, *_LOGIN)),
    Route("GET",    "/.well-known/jwks.json", identity.get_token_keys, None,            (ok(KeySetView),)),

    Route("POST",   "/api/v1/api-keys",      api_keys.create_api_key, P.API_KEYS_WRITE, (made(NewApiKeyView),),       NewApiKey, repeat=SECRET),
    Route("GET",    "/api/v1/api-keys",      api_keys.list_api_keys,  P.API_KEYS_READ,  (page_of(ApiKeyView),),       query=PageQuery),
    Route("GET",    "/api/v1/api-keys/{id}", api_keys.get_api_key,    P.API_KEYS_READ,  (ok(ApiKeyView),)),
    Route("POST",   "/api/v1/api-keys/{id}/rotate", api_keys.rotate_api_key, P.API_KEYS_WRITE, (ok(NewApiKeyView),),   Rotation, repeat=SECRET),
    Route("DELETE", "/api/v1/api-keys/{id}", api_keys.revoke_api_key, P.API_KEYS_WRITE, (NO_CONTENT,)),

    Route("GET",    "/api/v1/keys",          keys.get_keys,           P.KEYS_READ,      (ok(KeysView),)),
    Route("POST",   "/api/v1/keys/rotate",   keys.rotate_keys,        P.KEYS_WRITE,     (ok(KeysView),),              KeyRotation, repeat=ANSWERED),
    Route("GET",    "/api/v1/roles",         roles.list_roles,        P.ROLES_READ,     (page_of(RoleView),),         query=PageQuery, part=True),
    Route("GET",    _ROLE,                   roles.get_role,          P.ROLES_READ,     (ok(RoleView),),              part=True),
    Route("PUT",    _ROLE,                   roles.put_role,          P.ROLES_WRITE,    (ok(RoleView, "ETag"),),      RoleBody, errors=(E.VERSION_MISMATCH, E.CONFLICT)),
    Route("DELETE", _ROLE,                   roles.delete_role,       P.ROLES_WRITE,    (NO_CONTENT,),                errors=(E.CONFLICT,)),
    Route("POST",   "/api/v1/role-bindings", roles.create_role_binding, P.BINDINGS_WRITE, (made(BindingView),),       NewBinding, repeat=ANSWERED, part=True),
    Route("GET",    "/api/v1/role-bindings", roles.list_role_bindings, P.BINDINGS_READ, (page_of(BindingView),),      query=BindingQuery, part=True),
    Route("DELETE", "/api/v1/role-bindings/{id}", roles.delete_role_binding, P.BINDINGS_WRITE, (NO_CONTENT,),         errors=(E.CONFLICT,), part=True),
    Route("GET",    "/api/v1/auth/whoami",   auth.get_whoami,         P.SELF,           (ok(WhoamiView),)),
    Route("GET",    "/api/v1/auth/explain",  auth.explain_access,     P.SELF,           (ok(ExplanationView),),       query=ExplainQuery, errors=(E.NOT_FOUND,)),

    Route("POST",   "/api/v1/users",         users.create_user,       P.USERS_WRITE,    (made(UserView),),            NewAccount, errors=(E.CONFLICT,)),
    Route("GET",    "/api/v1/users",         users.list_users,        P.USERS_READ,     (page_of(UserView),),         query=PageQuery),
    Route("GET",    _USER,                   users.get_user,          P.USERS_READ,     (ok(UserView),)),
    Route("POST",   _USER + "/disable",      users.disable_user,      P.USERS_WRITE,    (ok(UserView),)),
    Route("POST",   _USER + "/enable",       users.enable_user,       P.USERS_WRITE,    (ok(UserView),)),
    Route("PUT",    _USER + "/password",     users.reset_password,    P.USERS_WRITE,    (ok(UserView),),              PasswordReset),

    Route("GET",    "/api/v1/auth/methods",  logins.get_login_methods, None,            (ok(LoginMethodsView),)),
    Route("POST",   "/api/v1/auth/login",    logins.login,            None,             (ok(LoginView),),             Login, errors=(E.LOGIN_REFUSED, E.CROSS_SITE, *_LOGIN)),
    Route("POST",   "/api/v1/auth/logout",   logins.logout,           P.SELF,           (NO_CONTENT,)),
    Route("POST",   "/api/v1/auth/logout-everywhere", logins.logout_everywhere, P.SELF, (NO_CONTENT,)),
    Route("GET",    "/api/v1/auth/session",  logins.get_session,      P.SELF,           (ok(CurrentSessionView),)),
    Route("GET",    "/api/v1/auth/sessions", logins.list_sessions,    P.SELF,           (page_of(SessionView),),      query=PageQuery),
    Route("DELETE", "/api/v1/auth/sessions/{session}", logins.end_session, P.SELF,      (NO_CONTENT,)),
    Route("PUT",    "/api/v1/auth/password", logins.change_password,  P.SELF,           (ok(LoginView),),             PasswordChange, errors=(E.LOGIN_REFUSED, E.TOO_MANY_REQUESTS)),
    Route("GET",    "/api/v1/auth/oidc/login", provider_logins.go_to_provider, None,    (ELSEWHERE,),                 query=ProviderLoginQuery, errors=(E.INVALID, E.LOGIN_FAILED, *_LOGIN)),
    Route("GET",    "/api/v1/auth/oidc/callback", provider_logins.come_from_provider, None, (ELSEWHERE,),             query=ProviderAnswer, errors=(E.INVALID, E.LOGIN_FAILED, *_LOGIN)),
    Route("POST",   "/api/v1/auth/oidc/token", provider_logins.exchange_code, None,     (ok(LoginView),),             CodeExchange, errors=(E.LOGIN_FAILED, *_LOGIN)),
    Route("POST",   "/api/v1/auth/oidc/backchannel-logout", provider_logins.log_out_by_provider, None, (DONE,),       errors=(E.INVALID, E.LOGIN_FAILED, *_LOGIN)),

    Route("GET",    "/api/v1/audit",         audit.list_audit_records, P.AUDIT_READ,    (page_of(AuditRecordView),),  query=AuditQuery, part=True),
    Route("GET",    "/api/v1/audit/export",  audit.export_audit_records, P.AUDIT_READ,  (text("Lines of JSON, or CSV.", "*/*"),), query=AuditExportQuery, streams=True),
    Route("GET",    "/api/v1/audit/verify",  audit.verify_audit_chain, P.AUDIT_READ,    (ok(AuditVerificationView),), query=AuditVerifyQuery),
    Route("POST",   "/api/v1/audit/archive", audit.archive_audit_records, P.AUDIT_ARCHIVE, (made(AuditAnchorView),),  AuditArchival, repeat=ANSWERED, errors=(E.NOT_FOUND,)),
    Route("GET",    "/api/v1/audit/anchors", audit.list_audit_anchors, P.AUDIT_READ,    (page_of(AuditAnchorView),),  query=PageQuery),
    Route("GET",    "/api/v1/audit/{seq}",   audit.get_audit_record,  P.AUDIT_READ,     (ok(AuditRecordView),), part=True),

    Route("GET",    "/healthz",              operations.get_health,    None,            (ok(HealthView),)),
    Route("GET",    "/readyz",               operations.get_readiness, None,            (ok(ReadinessView),),         errors=(E.NOT_READY,)),
    Route("GET",    "/metrics",              operations.get_metrics,   None,            (text("Prometheus' text form.", "text/plain"),)),
    Route("GET",    "/openapi.json",         operations.get_openapi,   None,            (ok(dict[str, Any]),)),
    Route("GET",    "/docs",                 operations.get_docs,      None,            (text("A page.", "text/html"), NOT_MODIFIED), conditional=True),
    Route("GET",    "/docs/{file}",          operations.get_docs_file, None,            (text("A file.", "*/*"), NOT_MODIFIED), conditional=True),
)
# fmt: on
