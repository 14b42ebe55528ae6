"""Pages for members: a form with a CSRF token, a session in an HttpOnly cookie, and a token in
local storage that pages need.

``of(server)`` knows who came: what a test may assert is what this site saw.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import Counter
from http.cookies import SimpleCookie
from weakref import WeakKeyDictionary

from .server import Request, Server, route

NAME, PASSWORD = "reader", "correct horse"


class Members:
    """Who is logged in. ``seen`` counts the pages shown to members, ``strangers`` those asked for
    by anybody else.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self, *, expire_after: int | None = None, password: str = PASSWORD) -> None:
        """Forget everybody; let all log-ins expire once, when so many pages were shown."""
        self.password = password
        self.sessions: dict[str, str] = {}  # cookie -> token
        self.forms: dict[str, str] = {}  # cookie of the form -> its CSRF token
        self.seen: Counter[str] = Counter()
        self.strangers: Counter[str] = Counter()
        self.logins = self.refused = 0
        self.expire_after = expire_after

    def form(self) -> tuple[str, str]:
        """The cookie and the CSRF token of a new form."""
        with self._lock:
            cookie, token = secrets.token_hex(8), secrets.token_hex(8)
            self.forms[cookie] = token
        return cookie, token

    def log_in(self, cookie: str, form: dict[str, str]) -> str | None:
        """The cookie of a new session, if all is right; each form serves once."""
        with self._lock:
            csrf = self.forms.pop(cookie, None)
            if (
                csrf is None
                or form.get("csrf") != csrf
                or (form.get("name"), form.get("password")) != (NAME, self.password)
            ):
                self.refused += 1
                return None
            self.logins += 1
            session = f"canary-cookie-{secrets.token_hex(8)}"
            self.sessions[session] = f"canary-storage-{secrets.token_hex(8)}"
            return session

    def enter(self, cookie: str, token: str, path: str) -> bool:
        """Whether a member asks for ``path``, as cookie and token say; counted."""
        with self._lock:
            good = self.sessions.get(cookie) == token
            (self.seen if good else self.strangers)[path] += 1
            if self.expire_after is not None and self.seen.total() >= self.expire_after:
                self.sessions, self.expire_after = {}, None
            return good


_members: WeakKeyDictionary[Server, Members] = WeakKeyDictionary()


def of(server: Server) -> Members:
    """The members of this server."""
    return _members.setdefault(server, Members())


def cookie(request: Request, name: str) -> str:
    """The value of a cookie that came with the request, or ""."""
    found = SimpleCookie(request.headers.get("Cookie", "")).get(name)
    return found.value if found else ""


@route("/enter")
def login(request: Request) -> None:
    """The form, which also stands for every page that a stranger asks for."""
    members = of(request.server)
    if request.command == "POST":
        session = members.log_in(cookie(request, "form"), request.form())
        if session:
            return request.redirect(
                "/welcome", Set_Cookie=f"member={session}; Path=/; HttpOnly; SameSite=Lax"
            )
    form, csrf = members.form()
    return request.html(
        "<h1>Log in</h1><form id=login method=post action=/enter><input name=name><input name=password type=password>"
        f"<input name=csrf type=hidden value={csrf}><button>Log in</button></form>",
        title="Log in",
        Set_Cookie=f"form={form}; Path=/enter; HttpOnly",
    )


@route("/welcome")
def welcome(request: Request) -> None:
    token = of(request.server).sessions.get(cookie(request, "member"))
    if token is None:
        return request.redirect("/enter")
    script = (
        f"<script>localStorage.token = {json.dumps(token)}; sessionStorage.tab = 'one'</script>"
    )
    return request.html(f"<h1 id=welcome>Welcome</h1>{script}", title="Welcome")


@route("/member/")
def tree(request: Request) -> None:
    """A binary tree of 15 pages (``size`` for another number), whose text and links come only with
    the token.
    """
    members = of(request.server)
    if cookie(request, "member") not in members.sessions:
        members.strangers[request.path] += 1
        return request.redirect("/enter")
    return request.html(
        "<main></main><script>const ask = new XMLHttpRequest();"
        f"ask.open('GET', {json.dumps(request.path.replace('/member/', '/branch/'))}, false);"
        "ask.setRequestHeader('X-Token', localStorage.token ?? 'none');"
        "ask.setRequestHeader('X-Tab', sessionStorage.tab ?? 'none');"
        "ask.send(); document.querySelector('main').innerHTML = ask.responseText</script>",
        title="Members",
    )


@route("/branch/")
def branch(request: Request) -> None:
    if not of(request.server).enter(
        cookie(request, "member"), request.headers.get("X-Token", ""), request.path
    ):
        return request.answer(b"<h1>Nothing for strangers</h1>", 403)
    n, size = int(request.rest.partition("?")[0]), int(request.query.get("size", 15))
    links = [child for child in (2 * n + 1, 2 * n + 2) if child < size]
    tail = f"?size={size}" if "size" in request.query else ""
    anchors = "".join(f"<a href='/member/{child}{tail}'>{child}</a> " for child in links)
    return request.answer(
        f"<h1>Branch {n}</h1><i>{request.headers.get('X-Tab')}</i>{anchors}".encode()
    )
