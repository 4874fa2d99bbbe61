"""`/status` as lines for people: what is well in few words, what is not in more."""

from collections.abc import Iterator

from shared.domain.codec import Json

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def status_lines(status: Json) -> Iterator[str]:
    """The most important first; a line only for what there is."""
    who = f"{status['app_id']}/{status['environment']}"
    yield f"{who} as {status['instance']}, version {status['version']}, up {_span(status['uptime_seconds'])}"
    yield f"ready      {'yes' if status['ready'] else 'NO: ' + status['reason']}"
    yield f"state      {status['state']}{_upstream(status)}"
    yield f"revision   {status['revision']}, {status['configs']} configs{_behind(status)}"
    yield f"agreed     {_ago(status['staleness_seconds'])}"
    if (application := status.get("application")) is not None:
        yield f"application {application['condition']}: {application['detail']}"
    for file in status.get("files") or ():
        yield f"file       {_file(file)}"
    for remark in status.get("remarks") or ():
        yield f"{'REFUSED' if remark['refuses'] else 'remark'}    {remark['kind']}: {remark['detail']}"
    if rejection := status.get("rejection"):
        yield f"REJECTED   revision {rejection['revision']}: {rejection['reason']}"
    if (unsupported := status.get("unsupported")) and unsupported["configs"]:
        yield f"NOT UNDERSTOOD {unsupported['configs']} configs; upgrade this agent"
    if (skew := status.get("clock_skew")) and skew["suspicious"]:
        yield f"CLOCK      {skew['seconds']:+.1f} s from the control plane's; set it (NTP)"
    if error := status["last_known_good"]["error"]:
        yield f"DISK       the last known good cannot be kept: {error}"
    if error := status["last_error"]:
        yield f"last error {error}"


def _upstream(status: Json) -> str:
    return f", hears the control plane by {status['transport']}" if status["connected"] else ", hears nobody"


def _behind(status: Json) -> str:
    behind = status["upstream_revision"] - max(status["revisions"].values(), default=0)
    return f" (the control plane is at {status['upstream_revision']})" if behind > 0 else ""


def _ago(seconds: float | None) -> str:
    return "never since the start" if seconds is None else f"{_span(seconds)} ago"


def _file(file: Json) -> str:
    path, error = file.get("path", file.get("name", "?")), file.get("error")
    return f"{path}: NOT RENDERED: {error}" if error else f"{path} at revision {file.get('revision')}"


def _span(seconds: float) -> str:
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} s"
