"""Odd documents: of other kinds, of great size, in unknown writing, with frames in frames."""

from __future__ import annotations

import gzip
import struct
import zlib

from .server import Request, route


def named(request: Request) -> str:
    return request.path.strip("/").partition("?")[0]


def page(request: Request, body: str = "", **more: str) -> None:
    name = named(request)
    request.html(f"<h1>{name}</h1><a href=/from-{name}>on</a>{body}", title=name, **more)


@route("/text")
def text(request: Request) -> None:
    request.answer(b"<a href=/no-link>plain</a>\n", Content_Type="text/plain")


@route("/json")
def json(request: Request) -> None:
    request.answer(b'{"href": "/no-link"}', Content_Type="application/json")


@route("/xml")
def xml(request: Request) -> None:
    request.answer(
        b"<?xml version='1.0'?><shelf><book href='/no-link'>Emma</book></shelf>",
        Content_Type="application/xml",
    )


@route("/xml-broken")
def xml_broken(request: Request) -> None:
    request.answer(b"<?xml version='1.0'?><shelf><book></shelf>", Content_Type="application/xml")


@route("/xhtml")
def xhtml(request: Request) -> None:
    body = "<title>xhtml</title></head><body><a href='/from-xhtml'>on</a></body></html>"
    request.answer(
        f"<html xmlns='http://www.w3.org/1999/xhtml'><head>{body}".encode(),
        Content_Type="application/xhtml+xml",
    )


@route("/svg")
def svg(request: Request) -> None:
    body = b"<svg xmlns='http://www.w3.org/2000/svg'><title>svg</title><a href='/from-svg'><text y='20'>on</text></a></svg>"
    request.answer(body, Content_Type="image/svg+xml")


@route("/png")
def png(request: Request) -> None:
    """One grey point."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body = (
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")
    )
    request.answer(body, Content_Type="image/png")


@route("/video")
def video(request: Request) -> None:
    request.answer(b"\0" * 2_000, Content_Type="video/mp4")


@route("/nothing-in-it")
def nothing_in_it(request: Request) -> None:
    """A page without a single byte, and all is well."""
    request.answer(b"")


@route("/unknown-kind")
def unknown_kind(request: Request) -> None:
    request.answer(b"\1\2\3" * 100, Content_Type="application/x-unheard-of")


@route("/no-kind")
def no_kind(request: Request) -> None:
    """Says nothing of what it is; a browser guesses."""
    request.connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 55\r\n\r\n<title>no-kind</title><a href=/from-no-kind>on</a>     "
    )


def links(request: Request, count: int) -> None:
    """Hidden: laying them out would take longer than all the rest."""
    request.html(
        f"<div hidden>{''.join(f'<a href=/p/{n}>{n}</a> ' for n in range(count))}</div>",
        title=named(request),
    )


@route("/links-100000")
def links_100000(request: Request) -> None:
    links(request, 100_000)


@route("/links-200000")
def links_200000(request: Request) -> None:
    """More than are taken."""
    links(request, 200_000)


def megabytes(request: Request) -> bytes:
    """Fifty of them, between two links; hidden, too."""
    name, line = named(request), b"<p>" + b"lorem ipsum " * 870 + b"</p>\n"
    head = f"<title>{name}</title><a href=/from-{name}>on</a><div hidden>".encode()
    return head + line * (50_000_000 // len(line)) + b"</div><a href=/from-the-end>on</a>"


@route("/huge")
def huge(request: Request) -> None:
    request.answer(megabytes(request))


@route("/huge-compressed")
def huge_compressed(request: Request) -> None:
    """The same, in a few hundred kilobytes."""
    request.answer(gzip.compress(megabytes(request), 1), Content_Encoding="gzip")


@route("/deep")
def deep(request: Request) -> None:
    """Elements in elements in elements."""
    page(request, "<div>" * 20_000 + "<a href=/from-the-depth>on</a>")


@route("/long-words")
def long_words(request: Request) -> None:
    """A title, a link and its text of a megabyte each."""
    long = "x" * 1_000_000
    request.html(f"<a href=/from-long-words>{long}</a><a href='/{long}'>far</a>", title=long)


@route("/lines")
def lines(request: Request) -> None:
    """What would break a table of lines and tabs."""
    request.html(
        "<a href='/from-lines' rel='no\tfollow\nme'>a\tb\n\nc\x0b\x0c\u2028d</a><a href='/x\ty\nz'>two</a>",
        title="li\tne\ns\u2028 &#0;",
    )


@route("/frames")
def frames(request: Request) -> None:
    """Frames of every kind beside each other."""
    page(
        request,
        "<iframe src=/a></iframe><iframe srcdoc='<a href=/no-link>x</a>'></iframe><iframe src='javascript:1'></iframe>"
        "<iframe src='data:text/html,<a href=/no-link>x</a>'></iframe><iframe src=/204></iframe><iframe src=/404></iframe>"
        "<iframe src=/no-answer></iframe><iframe src=/download></iframe><iframe src=/401></iframe><iframe src='chrome://version'></iframe>"
        "<iframe src='file:///etc/passwd'></iframe><iframe sandbox src=/alert></iframe><object data=/b></object><embed src=/a>",
    )


@route("/frames-many")
def frames_many(request: Request) -> None:
    page(request, "".join(f"<iframe src='/a?{n}'></iframe>" for n in range(100)))


@route("/frames-deep")
def frames_deep(request: Request) -> None:
    """Each in the one before, thirty times."""
    n = int(request.query.get("n", 0))
    page(request, f"<iframe src='/frames-deep?n={n + 1}'></iframe>" if n < 30 else "")


@route("/frames-recursive")
def frames_recursive(request: Request) -> None:
    """Holds itself, under another name each time, twice; nothing but the browser ends that."""
    depth = len(request.query.get("n", ""))
    tail = request.query.get("n", "")
    page(
        request,
        f"<iframe src='/frames-recursive?n={tail}0'></iframe><iframe src='/frames-recursive?n={tail}1'></iframe>"
        if depth < 5
        else "",
    )


@route("/frameset")
def frameset(request: Request) -> None:
    request.answer(
        b"<title>frameset</title><frameset cols='*,*'><frame src=/a><frame src=/b></frameset>"
    )


@route("/wrapped/")
def wrapped(request: Request) -> None:
    """Pages that are nothing but frames, or have some: of this site and of another."""
    port = request.server.server_address[1]
    content = f"<h1>Inside</h1><p class=price>7</p><a href=/from-inside>on</a><iframe src=http://localhost:{port}/b></iframe>"
    bodies = {
        "set": "<frameset cols='20%,80%'><frame src=/wrapped/inside><frame src=/a></frameset>",
        "one": "<iframe src=/wrapped/inside width=800 height=600></iframe>",
        "srcdoc": f'<iframe width=800 height=600 srcdoc="{content}"></iframe>',
        "written": "<iframe id=f width=800 height=600></iframe>"
        f"<script>f.contentDocument.body.innerHTML = `{content}`</script>",
        "lazy": "<h1>Top</h1><p style='height:9000px'></p><iframe loading=lazy src=/wrapped/inside></iframe>",
        "object": "<object type=text/html data=/wrapped/inside width=800 height=600></object>",
        "inside": content,
    }
    text = f"<title>{request.rest}</title>{bodies[request.rest]}"
    request.answer(text.encode(), Content_Type="text/html")


@route("/frame-top")
def frame_top(request: Request) -> None:
    """A frame that puts itself in the page's place."""
    page(request, "<iframe src=/to-top></iframe>")


@route("/to-top")
def to_top(request: Request) -> None:
    request.html("<script>top.location = '/a'</script>")


@route("/frame-endless")
def frame_endless(request: Request) -> None:
    """A frame of the same site, which shares the page's process, never ends its script."""
    page(request, "<iframe src=/endless></iframe>")


@route("/frame-denied")
def frame_denied(request: Request) -> None:
    page(
        request,
        X_Frame_Options="DENY",
        Content_Security_Policy="frame-ancestors 'none'; form-action 'none'",
    )


@route("/sandboxed")
def sandboxed(request: Request) -> None:
    page(
        request,
        "<script>document.title = 'ran'</script>",
        Content_Security_Policy="sandbox; default-src 'none'; script-src 'none'",
    )


@route("/trusted-types")
def trusted_types(request: Request) -> None:
    page(
        request, Content_Security_Policy="require-trusted-types-for 'script'; trusted-types 'none'"
    )


@route("/base-elsewhere")
def base_elsewhere(request: Request) -> None:
    page(
        request,
        "<a href='deep'>2</a><a href='//other.test/x'>3</a><a href='#top'>4</a><a href>5</a>",
        head="<base href='http://elsewhere.test/dir/'>",
    )


@route("/base-javascript")
def base_javascript(request: Request) -> None:
    page(request, "<a href='?q'>2</a>", head="<base href='javascript:alert(1)//'>")


@route("/base-data")
def base_data(request: Request) -> None:
    page(request, "<a href='?q'>2</a>", head="<base href='data:text/html,x'>")


@route("/base-many")
def base_many(request: Request) -> None:
    page(request, head="<base target=_blank><base href='/one/two'><base href='http://later.test/'>")


@route("/base-script")
def base_script(request: Request) -> None:
    """Moves its base after it has loaded."""
    page(
        request,
        "<a href=rest>2</a><script>document.head.insertAdjacentHTML('beforeend', '<base href=http://moved.test/>')</script>",
    )


@route("/charset-wrong")
def charset_wrong(request: Request) -> None:
    """Says UTF-8 and is Latin 1."""
    request.answer(
        "<title>charset-wrong \u00e9</title><a href='/caf\u00e9'>caf\u00e9</a>".encode("latin-1"),
        Content_Type="text/html; charset=utf-8",
    )


@route("/charset-unknown")
def charset_unknown(request: Request) -> None:
    request.answer(
        b"<title>charset-unknown</title><a href=/from-charset-unknown>on</a>",
        Content_Type="text/html; charset=klingon-8",
    )


@route("/charset-utf16")
def charset_utf16(request: Request) -> None:
    request.answer(
        "\ufeff<title>charset-utf16 \u00e9</title><a href=/from-charset-utf16>on</a>".encode(
            "utf-16-le"
        ),
        Content_Type="text/html",
    )


@route("/charset-late")
def charset_late(request: Request) -> None:
    """Names its charset where nobody looks for it any longer, in two ways."""
    body = (
        "<!--"
        + "x" * 5_000
        + "--><title>charset-late \u043f</title><meta charset=koi8-r><meta charset=utf-7><a href=/from-charset-late>on</a>"
    )
    request.answer(body.encode("koi8-r"), Content_Type="text/html")


@route("/charset-zeros")
def charset_zeros(request: Request) -> None:
    request.answer(
        b"<title>charset\0-zeros</title>\0<a href='/from-\0charset-zeros'>o\0n</a>\xff\xfe\xff"
    )


@route("/titles")
def titles(request: Request) -> None:
    """Titles where none belong."""
    page(
        request,
        "<title>fake</title><svg><title>fake</title></svg><script>document.body.innerHTML += '<title>fake</title>'</script>",
    )


@route("/title-script")
def title_script(request: Request) -> None:
    page(
        request,
        "<script>setInterval(() => document.title = Math.random() + '', 1); document.title = 'x';"
        "document.querySelector('title').remove()</script>",
    )


@route("/writes-late")
def writes_late(request: Request) -> None:
    """Replaces itself after it has loaded, within the same document."""
    new = "<title>written</title><a href=/from-writing>on</a>"
    page(
        request,
        f"<script>onload = () => {{ document.open(); document.write('{new}'); document.close() }}</script>",
    )


@route("/writes-open")
def writes_open(request: Request) -> None:
    """Begins to write itself anew, and never says that it is done."""
    new = "<title>writing</title><a href=/from-writing>on</a>"
    page(request, f"<script>onload = () => {{ document.open(); document.write('{new}') }}</script>")


@route("/headers-early")
def headers_early(request: Request) -> None:
    """Hints before the answer, and a word that all is well."""
    request.connection.sendall(
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    )
    page(request)


@route("/headers-huge")
def headers_huge(request: Request) -> None:
    request.close_connection = True
    lines = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 10_000) for n in range(100))
    request.connection.sendall(
        b"HTTP/1.1 200 OK\r\n"
        + lines
        + b"Content-Type: text/html\r\n\r\n<title>headers-huge</title>"
    )


@route("/headers-large")
def headers_large(request: Request) -> None:
    page(request, **{f"X_{n}": "x" * 2_000 for n in range(50)})


@route("/headers-slow")
def headers_slow(request: Request) -> None:
    """One byte of its headers each moment, for as long as somebody listens."""
    request.close_connection = True
    request.connection.sendall(b"HTTP/1.1 200 OK\r\nX-")
    while not request.server.closing.wait(0.05):
        request.connection.sendall(b"x")


@route("/body-without-end")
def body_without_end(request: Request) -> None:
    """Paragraphs, one each moment, for as long as somebody listens."""
    request.close_connection = True
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>body-without-end</title><a href=/from-body-without-end>on</a>"
    request.connection.sendall(head + b"<p>lorem</p>" * 200)
    while not request.server.closing.wait(0.05):
        request.connection.sendall(b"<p>lorem</p>")


@route("/chunks-broken")
def chunks_broken(request: Request) -> None:
    request.close_connection = True
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    request.connection.sendall(head + b"5\r\n<p>a\n\r\nnonsense\r\n")


@route("/gzip-broken")
def gzip_broken(request: Request) -> None:
    request.answer(
        gzip.compress(b"<title>x</title>" + bytes(range(256)) * 100)[:200], Content_Encoding="gzip"
    )


@route("/gzip-lie")
def gzip_lie(request: Request) -> None:
    request.answer(b"<title>plain</title>", Content_Encoding="gzip")


@route("/status-999")
def status_999(request: Request) -> None:
    page(request, status=999)  # type: ignore[arg-type]


@route("/status-304")
def status_304(request: Request) -> None:
    """Nothing has changed, says the server, of what was never there."""
    request.answer(b"", status=304)


@route("/status-205")
def status_205(request: Request) -> None:
    request.answer(b"", status=205)


@route("/status-300")
def status_300(request: Request) -> None:
    page(request, status=300)  # type: ignore[arg-type]


@route("/http09")
def http09(request: Request) -> None:
    """No headers at all."""
    request.close_connection = True
    request.connection.sendall(b"<title>http09</title><a href=/from-http09>on</a>")
