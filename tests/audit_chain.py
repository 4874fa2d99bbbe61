"""Ways of tampering with an audit chain, in the database and in an export, and an honest hash for what was made up."""

import hashlib

import asyncpg

from shared.domain.codec import decode

SEAL_LENGTH = 162
"""Of `, "previous_hash": "…", "hash": "…"}`."""


def hashed(line: bytes) -> str:
    """The hash that a line should have, worked out as the documentation says."""
    record = decode(line)
    return hashlib.sha256(bytes.fromhex(record["previous_hash"]) + line[:-SEAL_LENGTH] + b"}").hexdigest()


def sealed(line: bytes, previous_hash: str) -> bytes:
    """A line that goes on from another record than it did, with a hash that fits."""
    canonical = line[:-SEAL_LENGTH] + b"}"
    own = hashlib.sha256(bytes.fromhex(previous_hash) + canonical).hexdigest()
    return line[:-SEAL_LENGTH] + f', "previous_hash": "{previous_hash}", "hash": "{own}"}}'.encode()


def rewritten(lines: list[bytes], start: int) -> list[bytes]:
    """The export, written anew from one line on so that all of it fits again."""
    done = lines[:start]
    for line in lines[start:]:
        done.append(sealed(line, decode(done[-1])["hash"]))
    return done


async def tamper(url: str, *statements: str) -> None:
    """Do to the database what only its owner can."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("set session_replication_role = replica")
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


REWRITE = """
    do $$
    declare
        entry audit_logs;
        before bytea := (select hash from audit_logs where seq = {seq} - 1);
    begin
        for entry in select * from audit_logs where seq >= {seq} order by seq loop
            entry.previous_hash := before;
            entry.hash := trimtab_audit_hash(entry);
            update audit_logs set previous_hash = entry.previous_hash, hash = entry.hash where seq = entry.seq;
            before := entry.hash;
        end loop;
    end
    $$
"""
"""Write the chain anew from `seq` on."""
