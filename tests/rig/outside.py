"""Services outside that are played by this machine."""

from control_plane.domain.reachable import Reachable

HERE = Reachable.parse("127.0.0.0/8, ::1").naming(
    [f"http://127.0.0.1:{port}" for port in range(1_024, 65_536)], private=False
)
"""This machine, at any port, where a client would refuse it."""
