-- What the installation and every touched scope are at, in one instant.
select installation.revision as installation_revision, scopes.app_id, scopes.environment, scopes.revision, scopes.digest
from installation left join scopes on true
