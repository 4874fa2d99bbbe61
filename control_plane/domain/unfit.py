"""An effective value that its schema does not allow, as it is told: the value itself only where it is no secret."""

from dataclasses import dataclass
from uuid import UUID

from shared.domain.codec import Json


@dataclass(frozen=True, slots=True)
class Unfit:
    """Where it would show, what is wrong with it and which schema says so.

    `pointer` points into the value, `operation` is the pointer of the operation that leads to it; both may be empty.
    """

    app_id: str
    environment: str
    key: str
    pointer: str
    detail: str
    schema: UUID | None = None
    operation: str = ""

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.app_id}/{self.environment}: {self.key}{self.pointer and ' at ' + self.pointer}: {self.detail}"

    def document(self) -> dict[str, Json]:
        """The violation as a member of a problem."""
        return {
            "app_id": self.app_id,
            "environment": self.environment,
            "key": self.key,
            "pointer": self.pointer,
            "detail": self.detail,
            "schema": self.schema and str(self.schema),
            "operation": self.operation,
        }
