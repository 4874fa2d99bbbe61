"""The keys under which sensitive values lie and travel."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from control_plane.settings.checks import SECRET, encryption_keys, key_of_exports


class SecrecySettings(BaseModel):
    """Keys."""

    encryption_key: Annotated[str, AfterValidator(encryption_keys)] = Field(
        "",
        repr=False,
        json_schema_extra=SECRET,
        description="The key-encryption key: 32 random bytes in base64, as `trimtab keys generate` makes them. Several "
        "with commas between: the first encrypts, all decrypt. Required, and not kept anywhere else: back it up.",
    )
    seal_key: Annotated[str, AfterValidator(key_of_exports)] = Field(
        "",
        repr=False,
        json_schema_extra=SECRET,
        description="What sensitive values are encrypted with in exports that ask for it: 64 random bytes in base64, "
        "the same in every installation that is to import them. Empty: exports leave them out.",
    )
