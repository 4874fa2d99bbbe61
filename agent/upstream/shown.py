"""What we show the control plane as ourselves: one thing for the whole agent, replaced in one place."""

import anyio

_UNAUTHENTICATED = 401


class Shown:
    """The agent token, or the credential that we got for it. Whoever calls the control plane shows what it is then."""

    def __init__(self, token: str) -> None:
        self._text, self._own, self._settled = token, False, True
        self.doubted = anyio.Event()
        """Set when the control plane does not take our credential any more, or when we were given another token."""

    @property
    def text(self) -> str:
        """What goes behind `Bearer`."""
        return self._text

    def token(self, text: str, *, settled: bool) -> None:
        """Show a token; not `settled` while a credential for it may still come."""
        self._text, self._own, self._settled = text, False, settled

    def credential(self, text: str) -> None:
        """Show a credential of our own."""
        self._text, self._own, self._settled = text, True, False
        self.doubted = anyio.Event()

    def refused(self, text: str, status: int) -> bool:
        """Somebody was refused with `text`; whether something better is to be expected soon."""
        if text != self._text:
            return True
        if self._own and status == _UNAUTHENTICATED:  # it was revoked, or its signing key was
            self.doubted.set()
            return True
        return not self._own and not self._settled
