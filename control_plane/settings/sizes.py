"""How much a request may carry."""

from pydantic import BaseModel, Field, PositiveInt

from control_plane.domain.limits import Limits

_LONGEST_KEY = 255
_DEEPEST_VALUE = 64


class SizeSettings(BaseModel):
    """Limits on requests."""

    max_body_bytes: PositiveInt = Field(Limits().body_bytes, description="Size of a request's body.")
    max_value_bytes: PositiveInt = Field(Limits().value_bytes, description="Size of one value as compact JSON.")
    max_document_bytes: PositiveInt = Field(
        Limits().document_bytes, description="Size of one flag or segment as compact JSON."
    )
    max_value_depth: int = Field(Limits().value_depth, ge=1, le=_DEEPEST_VALUE, description="Nesting of one value.")
    max_key_length: int = Field(Limits().key_length, ge=1, le=_LONGEST_KEY, description="Characters of a key.")
    max_operations: PositiveInt = Field(Limits().operations, description="Operations of one change.")
    max_page_size: PositiveInt = Field(Limits().page_size, description="Items of one page of a list.")
    max_text_length: PositiveInt = Field(
        Limits().text_length, description="Characters of a message, a description or a search text."
    )
    max_import_bytes: PositiveInt = Field(Limits().import_bytes, description="Size of a document to import.")
    max_import_operations: PositiveInt = Field(
        Limits().import_operations, description="Operations of the one change that an import makes."
    )

    @property
    def limits(self) -> Limits:
        """The limits on what a request may carry."""
        return Limits(**{name: getattr(self, f"max_{name}") for name in Limits.__dataclass_fields__})
