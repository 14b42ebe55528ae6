"""Pages that misbehave. What each comes to is told by its test."""

from __future__ import annotations

import socket
import struct

from .server import Request, route


@route("/404-empty")
def missing_empty(request: Request) -> None:
    request.answer(status=404)


@route("/500-empty")
def broken_empty(request: Request) -> None:
    request.answer(status=500)


@route("/429-empty")
def patience_empty(request: Request) -> None:
    request.answer(status=429, Retry_After="7")


@route("/204")
def no_content(request: Request) -> None:
    request.answer(status=204)


@route("/download")
def download(request: Request) -> None:
    request.answer(
        b"PK" * 500,
        Content_Type="application/zip",
        Content_Disposition="attachment; filename=x.zip",
    )


@route("/download-by-script")
def download_by_script(request: Request) -> None:
    request.html(
        "<h1>Mine</h1><a href=/from-script>on</a><script>location.href = '/download'</script>",
        title="Mine",
    )


@route("/pdf")
def pdf(request: Request) -> None:
    body = b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    request.answer(body + b"trailer<</Root 1 0 R>>\n", Content_Type="application/pdf")


@route("/loop")
def loop(request: Request) -> None:
    request.redirect("/loop")


@route("/silence")
def silence(request: Request) -> None:
    request.wait()


@route("/no-answer")
def no_answer(request: Request) -> None:
    request.close_connection = True


@route("/reset")
def reset(request: Request) -> None:
    """Not closed but broken off."""
    request.close_connection = True
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


@route("/garbage")
def garbage(request: Request) -> None:
    request.close_connection = True
    request.connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 7\r\n\r\nxxx"
    )


@route("/truncated")
def truncated(request: Request) -> None:
    request.close_connection = True
    request.connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9999999\r\n\r\n<a href=/from-half>on</a>"
        + b"<p>lorem</p>" * 85 * int(request.query["kb"])
    )


@route("/slow-body")
def slow_body(request: Request) -> None:
    """The beginning at once, the rest never."""
    request.connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99999\r\n\r\n<title>Slow</title><a href=/from-slow>on</a>"
        + b"<p>lorem</p>" * 200
    )
    request.wait()


@route("/slow-image")
def slow_image(request: Request) -> None:
    request.html(
        "<h1>There</h1><a href=/from-slow-image>on</a><img src=/silence>", title="Slow image"
    )


@route("/401")
def unauthorized(request: Request) -> None:
    request.answer(status=401, WWW_Authenticate='Basic realm="x"')


@route("/401-body")
def unauthorized_body(request: Request) -> None:
    request.html(
        "<h1>Who are you?</h1>", title="Who", status=401, WWW_Authenticate='Basic realm="x"'
    )


@route("/endless")
def endless(request: Request) -> None:
    request.html("<h1>Never</h1><script>while (true);</script>")


@route("/endless-late")
def endless_late(request: Request) -> None:
    request.html(
        "<h1>Soon never</h1><script>onload = () => setTimeout(() => { while (true); }, 0)</script>"
    )


@route("/alert")
def alert(request: Request) -> None:
    request.html(
        "<a href=/before>1</a><script>alert('hello')</script><a href=/after>2</a>", title="Alert"
    )


@route("/alert-late")
def alert_late(request: Request) -> None:
    request.html(
        "<a href=/before>1</a><script>setTimeout(() => confirm('sure?'), 100)</script>",
        title="Alert later",
    )


@route("/alert-loop")
def alert_loop(request: Request) -> None:
    request.html(
        "<a href=/before>1</a><script>while (true) alert('again')</script>", title="Alert for ever"
    )


@route("/stay")
def stay(request: Request) -> None:
    request.html(
        "<button>x</button><script>onbeforeunload = e => { e.preventDefault(); return e.returnValue = 'stay' }</script>"
    )


@route("/popup")
def popup(request: Request) -> None:
    request.html("<a href=/from-popup>on</a><script>open('/a'); open('/b')</script>", title="Popup")


@route("/closes")
def closes(request: Request) -> None:
    request.html("<h1>Bye</h1><script>window.close()</script>", title="Closes")


@route("/back")
def back(request: Request) -> None:
    request.html("<h1>Not here</h1><script>history.back()</script>", title="Back")


@route("/pushes")
def pushes(request: Request) -> None:
    request.html(
        "<a href=/from-pushed>on</a><script>history.pushState({}, '', '/pushed')</script>",
        title="Pushed",
    )


@route("/clobbers")
def clobbers(request: Request) -> None:
    """A page that shadows and overwrites what a collector would lean on."""
    request.html(
        "<img name=title><img name=contentType><form name=links></form><img name=querySelectorAll><img name=readyState>"
        "<a href=/from-clobber>on</a><script>window.performance = null; window.name = 'x'; Map = null;"
        "Array.from = null; Array.prototype.toJSON = () => 'no'; String.prototype.toJSON = () => 'no';</script>",
        title="Clobbers",
    )


@route("/unreadable")
def unreadable(request: Request) -> None:
    """ChromeDriver itself cannot get an answer out of this one."""
    request.html(
        "<h1>x</h1><script>Object.prototype.toJSON = () => 'no'</script>", title="Unreadable"
    )


@route("/freezes")
def freezes(request: Request) -> None:
    request.html(
        "<a href=/from-frozen>on</a><script>Object.preventExtensions(document)</script>",
        title="Frozen",
    )


@route("/strict")
def strict(request: Request) -> None:
    request.html(
        "<a href=/from-strict>on</a>",
        title="Strict",
        Content_Security_Policy="default-src 'none'; sandbox",
    )


@route("/surrogate")
def surrogate(request: Request) -> None:
    script = "document.title = 'half \\ud83d'; document.links[0].textContent = '\\udc00'"
    request.html(f"<a href=/from-surrogate>on</a><script>{script}</script>")


@route("/blank")
def blank(request: Request) -> None:
    request.html("<h1>x</h1><script>location.replace('about:blank')</script>")
