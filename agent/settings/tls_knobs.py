"""Settings of TLS to the control plane and the broker: whose certificates count, and what shows who we are."""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.settings import parsers
from agent.settings.knob import Knob

TLS_KNOBS: Mapping[str, Knob] = {
    "ca_file": Knob(
        "TRIMTAB_AGENT_CA_FILE",
        parsers.path,
        "The authorities by which the control plane's certificate and the broker's are checked, as PEM.",
        "those of the machine",
    ),
    "certificate_file": Knob(
        "TRIMTAB_AGENT_CERTIFICATE_FILE",
        parsers.path,
        "The agent's own certificate, shown to both where they ask for one, as PEM. Read again when it changes.",
        "none",
    ),
    "key_file": Knob(
        "TRIMTAB_AGENT_KEY_FILE", parsers.path, "The private key of that certificate, as PEM, not encrypted.", "none"
    ),
}


def half(found: Mapping[str, Any]) -> Iterator[str]:
    """What is missing of a certificate and its key."""
    if ("certificate_file" in found) != ("key_file" in found):
        yield "TRIMTAB_AGENT_CERTIFICATE_FILE and TRIMTAB_AGENT_KEY_FILE go together"
