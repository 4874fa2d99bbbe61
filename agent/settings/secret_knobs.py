"""Settings of secrets that are kept elsewhere: which places the agent may ask, and as whom. Without them it asks nobody."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agent.settings import parsers
from agent.settings.knob import Knob
from shared.domain.codec import Json
from shared.domain.secret_reference import Provider


def _knob(name: str, parse: Callable[[Json], Any], meaning: str, default: str = "none") -> Knob:
    return Knob(f"TRIMTAB_AGENT_{name}", parse, meaning, default)


SECRET_KNOBS: Mapping[str, Knob] = {
    "secret_providers": _knob(
        "SECRET_PROVIDERS",
        parsers.some_of(*Provider),
        "Where this agent may look up what values refer to: `vault`, `aws-secretsmanager`, `file`, `env`, comma separated.",
    ),
    "secret_directories": _knob(
        "SECRET_DIRECTORIES", parsers.paths, "With `file`: the directories, comma separated, below which secrets are."
    ),
    "secret_variables": _knob(
        "SECRET_VARIABLES", parsers.texts, "With `env`: the names of the agent's variables that values may refer to."
    ),
    "secret_refresh": _knob(
        "SECRET_REFRESH", parsers.seconds, "Seconds after which a secret without a lease is looked up again.", "`300`"
    ),
    "secret_max_stale": _knob(
        "SECRET_MAX_STALE",
        parsers.seconds,
        "Seconds for which a secret without a lease is used while it cannot be looked up.",
        "`3600`",
    ),
    "vault_url": _knob("VAULT_URL", parsers.secure_url, "With `vault`: where it is; `https`, or on this machine."),
    "vault_ca_file": _knob(
        "VAULT_CA_FILE", parsers.path, "The certificates by which Vault's is checked.", "those of the machine"
    ),
    "vault_namespace": _knob("VAULT_NAMESPACE", parsers.text, "The namespace at Vault."),
    "vault_auth": _knob(
        "VAULT_AUTH",
        parsers.one_of("token", "approle", "kubernetes"),
        "How the agent logs in: `token` (a file), `approle` or `kubernetes`.",
        "`token`",
    ),
    "vault_auth_mount": _knob(
        "VAULT_AUTH_MOUNT", parsers.text, "Where that method is mounted at Vault.", "as it is called"
    ),
    "vault_token_file": _knob(
        "VAULT_TOKEN_FILE", parsers.path, "With `token`: the file that holds it; read again and again."
    ),
    "vault_role_id": _knob("VAULT_ROLE_ID", parsers.text, "With `approle`: the role's id."),
    "vault_secret_id_file": _knob(
        "VAULT_SECRET_ID_FILE", parsers.path, "With `approle`: the file that holds the secret id."
    ),
    "vault_role": _knob("VAULT_ROLE", parsers.text, "With `kubernetes`: the role's name at Vault."),
    "vault_jwt_file": _knob(
        "VAULT_JWT_FILE",
        parsers.path,
        "With `kubernetes`: the service account's token.",
        "`/var/run/secrets/kubernetes.io/serviceaccount/token`",
    ),
    "aws_region": _knob(
        "AWS_REGION", parsers.text, "With `aws-secretsmanager`: the region.", "`$AWS_REGION`, else `us-east-1`"
    ),
    "aws_url": _knob(
        "AWS_URL", parsers.secure_url, "With `aws-secretsmanager`: an endpoint other than AWS's own.", "the region's"
    ),
}

_NEEDED = {
    "token": ("vault_token_file",),
    "approle": ("vault_role_id", "vault_secret_id_file"),
    "kubernetes": ("vault_role",),
}


def missing(found: Mapping[str, Any]) -> Iterator[str]:
    """What the allowed places need and was not given."""
    allowed = found.get("secret_providers", ())
    needed = [("file", "secret_directories"), ("env", "secret_variables"), ("vault", "vault_url")]
    needed += [("vault", each) for each in _NEEDED[found.get("vault_auth", "token")]]
    for provider, name in needed:
        if provider in allowed and not found.get(name):
            yield f"{SECRET_KNOBS[name].variable} is missing; {provider} is allowed, and needs it"
