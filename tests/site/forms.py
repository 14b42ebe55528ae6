"""What comes of forms: pages that answer a POST in all ways, and write down each that they get."""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from .server import Request, Server, route


@dataclass(frozen=True)
class Post:
    """A form as the site got it."""

    path: str
    body: str
    headers: dict[str, str]


#: The user and the password of /say/shut.
KEY = base64.b64encode(b"me:s3c:ret").decode()
_posts: WeakKeyDictionary[Server, list[Post]] = WeakKeyDictionary()


def posts(server: Server) -> list[Post]:
    """The forms that this server got so far."""
    return _posts.setdefault(server, [])


@route("/say/")
def say(request: Request) -> None:
    """Write a form down, and answer it as the rest of the path says."""
    how = request.rest
    if request.command == "POST":
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0)).decode()
        headers = {name.lower(): value for name, value in request.headers.items()}
        posts(request.server).append(Post(request.path, body, headers))
    if how == "shut" and not request.headers.get("Authorization", "").endswith(KEY):
        return request.answer(b"who?", 401, WWW_Authenticate='Basic realm="forms"')
    if how.isdigit() and 300 <= int(how) < 400:
        return request.redirect("/say/it", int(how), Set_Cookie="said=yes; Path=/")
    if how.isdigit():
        return request.html(f"<h1>{how}</h1>" if how != "204" else "", status=int(how))
    if how == "cut":
        request.close_connection = True
        return request.connection.shutdown(socket.SHUT_RDWR)
    if how == "file":
        return request.answer(b"1,2", Content_Disposition="attachment; filename=a.csv")
    if how == "leads":
        return request.html("<meta http-equiv=refresh content='0;url=/say/it'>")
    if how == "late":
        return request.wait()
    if how == "first":  # Chrome itself sends again what a connection that it kept does not answer
        request.close_connection = True
        return request.html("<h1>first</h1>", Connection="close")
    told = {"method": request.command, **dict(request.headers.items())}
    return request.html(
        f"<h1>{request.command}</h1><a href=/say/more>more</a><pre>{json.dumps(told)}</pre>"
    )
