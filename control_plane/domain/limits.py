"""Every limit on what a request may carry. A problem that is answered for one of them names it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, the rest counts. Each can be set (`TRIMTAB_MAX_…`)."""

    body_bytes: int = 4 * 1024 * 1024
    value_bytes: int = 256 * 1024
    document_bytes: int = 1024 * 1024
    """Of a flag or a segment: one list of 100,000 members has 670 kB."""
    value_depth: int = 32
    key_length: int = 255
    operations: int = 500
    page_size: int = 500
    text_length: int = 2_000
    import_bytes: int = 16 * 1024 * 1024
    """Of a whole document to import."""
    import_operations: int = 10_000
    """Of the one change that an import, or a restore, makes."""
