"""Where state is kept and changes are sent: PostgreSQL, Redis and RabbitMQ."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, PositiveFloat, PositiveInt

from control_plane.settings.checks import SECRET, required, url


class StoreSettings(BaseModel):
    """What this replica stands on."""

    database_url: Annotated[str, AfterValidator(required), url("postgresql", "postgres")] = Field(
        "", repr=False, json_schema_extra=SECRET, description="PostgreSQL 15 or later: the only truth. Required."
    )
    database_replica_url: Annotated[str, url("postgresql", "postgres")] = Field(
        "",
        repr=False,
        json_schema_extra=SECRET,
        description="A streaming replica of that database, for lists, histories, exports and other heavy reads. "
        "Empty: none. It need not be there, nor stay.",
    )
    database_pool_size: PositiveInt = Field(20, description="Connections to PostgreSQL, at most.")
    database_wait: PositiveFloat = Field(30.0, description="Seconds to wait for PostgreSQL at start.")
    migrate: bool = Field(False, description="Whether to migrate the schema at start, instead of `trimtab migrate`.")
    redis_url: Annotated[str, url("redis", "rediss", "unix")] = Field(
        "",
        repr=False,
        json_schema_extra=SECRET,
        description="Redis for cached snapshots, the fleet and notices between replicas. "
        "Empty: in process, which suits a single replica.",
    )
    amqp_url: Annotated[str, url("amqp", "amqps")] = Field(
        "",
        repr=False,
        json_schema_extra=SECRET,
        description="RabbitMQ, to which changes are published. Empty: agents follow by server-sent events only.",
    )
