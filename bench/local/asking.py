"""`python -m bench.local.asking ADDRESS PATH CONNECTIONS SECONDS`: GET one path over TCP or over a unix socket; prints JSON.

Plain sockets, no HTTP library: the first answer tells how long all the others are. The median is that of a whole round.
"""

import socket
import sys
from statistics import median
from time import perf_counter

from shared.domain.codec import encode

_MAX_SAMPLES = 200_000


def main(address: str, path: str, connections: int, seconds: float) -> None:
    """Ask on all connections, take all answers, ask again, until the time is over.

    So the server always finds as many requests as there are connections: how quick this client is does not matter.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()
    sockets = [_connect(address) for _ in range(connections)]
    size = _first(sockets[0], request)
    rounds, durations = 0, list[float]()
    began = perf_counter()
    while (sent := perf_counter()) < began + seconds:
        for each in sockets:
            each.send(request)
        for each in sockets:
            _take(each, size)
        rounds += 1
        if len(durations) < _MAX_SAMPLES:
            durations.append(perf_counter() - sent)
    rate, p50 = rounds * connections / (perf_counter() - began), median(durations) * 1e6
    sys.stdout.buffer.write(encode({"answers": rounds * connections, "rate": rate, "p50": p50}))


def _take(connection: socket.socket, size: int) -> None:
    while size:
        taken = len(connection.recv(262_144))
        if not taken:
            sys.exit("the server hung up")
        size -= taken


def _connect(address: str) -> socket.socket:
    if address.startswith("/"):
        made = socket.socket(socket.AF_UNIX)
        made.connect(address)
        return made
    host, _, port = address.rpartition(":")
    made = socket.create_connection((host, int(port)))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _first(connection: socket.socket, request: bytes) -> int:
    """Ask once; the length of the whole answer, which must be a success."""
    connection.send(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65_536)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(head.decode(errors="replace"))
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return len(head) + 4 + length


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
