"""The statements, one file each, read by name."""

from importlib.resources import files


def sql(name: str) -> str:
    """The text of `queries/<name>.sql`."""
    return files(__package__).joinpath(f"{name}.sql").read_text("utf-8")
