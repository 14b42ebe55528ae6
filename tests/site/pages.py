"""Pages that behave, each with something to see."""

from __future__ import annotations

from .server import Request, route


@route("/ok")
def ok(request: Request) -> None:
    request.html(
        "<h1>Fine</h1><a href=/a>A</a> <a href=/b rel=nofollow>B</a> <a href='mailto:x@y.z'>mail</a>",
        title="OK",
    )


@route("/a")
def a(request: Request) -> None:
    request.html("<h1>A</h1><a href=/from-a>on</a>", title="A")


@route("/b")
def b(request: Request) -> None:
    request.html("<h1>B</h1><a href=/from-b>on</a>", title="B")


@route("/404")
def missing(request: Request) -> None:
    request.html("<h1>Gone</h1><a href=/from-404>on</a>", title="Gone", status=404)


@route("/500")
def broken(request: Request) -> None:
    request.html("<h1>Broken</h1>", title="Broken", status=500)


@route("/eight")
def eight(request: Request) -> None:
    """8 KB, as an ordinary page."""
    rows = "".join(
        f"<p><a href='/page/{n}'>Page {n}</a> {'lorem ipsum ' * 6}</p>" for n in range(70)
    )
    request.html(rows, title="8 KB")


@route("/many-objects")
def many_objects(request: Request) -> None:
    """A page whose script keeps some 12 MB."""
    request.html(
        "<script>window.kept = Array.from({length: 150_000}, (_, i) => ({i, text: 'x' + i}))"
        "</script>",
        title="Many objects",
    )


@route("/counter")
def counter(request: Request) -> None:
    request.html(
        f"<h1>{request.server.hits[request.path]}</h1><a name=x>x</a><a href='#y'>y</a>",
        title="Counter",
    )


@route("/hop/")
def hop(request: Request) -> None:
    n = int(request.rest)
    request.redirect(f"/hop/{n - 1}" if n > 1 else "/a")


@route("/to")
def to(request: Request) -> None:
    request.redirect(request.query["url"], int(request.query.get("status", 302)))


@route("/meta")
def meta(request: Request) -> None:
    request.html(
        "<h1>Not yet</h1><a href=/from-meta>on</a>",
        head="<meta http-equiv=refresh content='0;url=/a'>",
    )


@route("/moves")
def moves(request: Request) -> None:
    request.html(
        "<h1>Not yet</h1><a href=/from-moves>on</a><script>onload = () => location.replace('/a')</script>"
    )


@route("/moves-late")
def moves_late(request: Request) -> None:
    request.html(
        "<a href=/from-early>on</a><script>setTimeout(() => location.href = '/a', 400)</script>",
        title="Early",
    )


@route("/base")
def base(request: Request) -> None:
    request.html(
        "<a href=deep>1</a><a href='?q=1'>2</a><a href=//other.test/x>3</a>",
        head="<base href='/shelf/book/'>",
    )


@route("/links")
def links(request: Request) -> None:
    request.html(
        "<a href=/a#one>One</a><a href=/a#two>Two</a><a href='/a'>Three</a><a href='http://'>bad</a><a href='javascript:1'>js</a>"
        "<a href='data:text/html,x'>data</a><a href='tel:1'>tel</a><a>none</a><a href='/ä ö?ü'> uml\n\t aut </a>"
        "<svg><a href=/svg><text>svg</text></a></svg><map><area href=/area></map><a href='FTP://x/'>ftp</a><a href='HTTP://X.test'>X</a>"
    )


@route("/made")
def made(request: Request) -> None:
    request.html(
        "<div id=x></div><script>document.querySelector('#x').innerHTML = '<a href=/made-by-js>here</a>'</script>"
    )


@route("/many")
def many(request: Request) -> None:
    links = "".join(f"<a href='/page/{n}'>{n}</a>" for n in range(int(request.query["n"])))
    # not laid out, which would take longer than all the rest
    request.html(f"<div hidden>{links}</div>")


@route("/book")
def book(request: Request) -> None:
    request.html(
        "<h1> Emma </h1><p class=price>£ 3</p><ul><li>one<li>two<li hidden>three</ul><img src=cover.png><img alt=none>"
        "<form action=/form method=post><input name=q value=old><button>Go</button></form>"
        "<script>setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<i id=late>late</i>'), 300)</script>",
        title="Emma",
    )


@route("/form")
def form(request: Request) -> None:
    request.html(f"<h1 id=answer>{request.form().get('q')}</h1>", title="Answer")


@route("/lazy")
def lazy(request: Request) -> None:
    request.html("""<script>
        let n = 0;
        const grow = () => {
          if (n < 5 && scrollY + innerHeight >= document.documentElement.scrollHeight - 50) {
            n += 1; setTimeout(() => document.body.insertAdjacentHTML("beforeend", `<p style="height:2000px">part ${n}</p>`), 50);
          }
        };
        addEventListener("scroll", grow);
        onload = () => { document.body.insertAdjacentHTML("beforeend", "<p style='height:2000px'>part 0</p>") };
        </script>""")


@route("/login")
def login(request: Request) -> None:
    request.html(
        "<h1>Welcome</h1><script>localStorage.token = 'secret'; document.cookie = 'seen=1'</script>",
        Set_Cookie="session=abc; HttpOnly; Path=/",
    )


@route("/me")
def me(request: Request) -> None:
    request.html(
        f"<h1>{request.headers.get('Cookie') or 'nobody'}</h1><p id=token></p>"
        "<script>document.querySelector('#token').textContent = localStorage.token || 'none'</script>"
    )


@route("/hoards/")
def hoards(request: Request) -> None:
    """Sets 40 cookies, and refuses requests that bring more than ten, with the status in its path."""
    cookies = (request.headers.get("Cookie") or "").split("; ")
    if len(cookies) > 10:
        request.html("<h1>Too large</h1>", status=int(request.rest))
        return
    code = "for (let n = 0; n < 40; n += 1) document.cookie = `seen${n}=x; path=/hoards`"
    request.html(f"<h1>{'; '.join(cookies)}</h1><script>{code}</script>")


@route("/refuses/")
def refuses(request: Request) -> None:
    request.html("<h1>No</h1>", status=int(request.rest))


@route("/logout")
def logout(request: Request) -> None:
    request.html("<h1>Bye</h1><script>localStorage.clear()</script>")


@route("/agent")
def agent(request: Request) -> None:
    request.html(
        f"<h1>{request.headers['User-Agent']}</h1><h2>{request.headers['Accept-Language']}</h2>"
    )
