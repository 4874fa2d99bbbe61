"""People at the API who log in: with cookies as a browser has them, or with tokens."""

from dataclasses import dataclass, field
from typing import Any

from tests.rig.api import Answer, Api

PASSWORD = "vinegar pigeon lantern"


@dataclass
class Browser:
    """Keeps cookies as a browser does, and sends along what a page of ours would."""

    api: Api
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {"X-CSRF-Token": self.csrf} if self.csrf else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self.api.call(method, path, body, token=None, headers=sent)
        self.keep(answer)
        return answer

    def keep(self, answer: Answer) -> None:
        """Take the cookies of an answer."""
        for line in answer.headers.getall("Set-Cookie", ()):  # type: ignore[attr-defined]  # several of one name
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, **headers)

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return await self.call("POST", path, body, **headers)

    async def login(self, name: str = "anna", password: str = PASSWORD) -> Answer:
        answer = await self.post("/auth/login", {"name": name, "password": password})
        if answer.status == 200:
            self.csrf = answer.document["csrf_token"]
        return answer


async def make_user(api: Api, name: str = "anna") -> Answer:
    """An account with the password that all have here."""
    return await api.post("/users", {"name": name, "password": PASSWORD})


async def token_of(api: Api, name: str = "anna", password: str = PASSWORD) -> str:
    """The token of a session."""
    body = {"name": name, "password": password, "carrier": "bearer"}
    return str((await api.post("/auth/login", body, token=None)).document["token"])
