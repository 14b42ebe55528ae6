"""Pages that change after they were loaded, show what Chrome sent, or hold more than one
document.
"""

from __future__ import annotations

import base64
import json
import time

from .server import Request, route


@route("/comes")
def comes(request: Request) -> None:
    """Half a second after it was loaded, a list with a link."""
    request.html(
        "<h1>Wait</h1><script>setTimeout(() => { window.ready = {there: true};"
        "document.body.insertAdjacentHTML('beforeend', '<ul id=list><a href=/from-late>on</a></ul>') }, 500)</script>"
    )


@route("/shelf")
def shelf(request: Request) -> None:
    """A page that loads its data: at once, large, in bytes, by POST, and late."""
    request.html(
        "<h1>Shelf</h1><script>fetch('/api/books?page=1'); fetch('/api/large'); fetch('/api/bytes');"
        "fetch('/api/search', {method: 'POST', body: 'lamp'}); fetch('/other');"
        "setTimeout(() => fetch('/api/late'), 300)</script>"
    )


@route("/api/")
def api(request: Request) -> None:
    """The data of /shelf."""
    bodies = {"large": b"x" * 5_000, "bytes": bytes(range(256))}
    body = bodies.get(request.rest, json.dumps({"of": request.rest, "price": "£9"}).encode())
    kind = "application/octet-stream" if request.rest in bodies else "application/json"
    if request.command == "POST":
        request.form()
    request.answer(body, Content_Type=kind)


@route("/app/")
def app(request: Request) -> None:
    """Apps that get their content once /app-read answers: when they have been read without it."""
    fill = "document.getElementById('root').innerHTML = '<h1>Shop</h1>' + [1, 2].map(n => `<a href=/item/${n}>${n}</a>`).join('')"
    bodies = {
        "empty": f"<div id=root>Loading…</div><script>fetch('/app-read').then(() => {{ {fill} }})</script>",
        "text": f"<p>{'Words. ' * 60}</p><div id=root></div><script>fetch('/app-read').then(() => {{ {fill} }})</script>",
        "price": "<div id=root>Loading…</div><script>fetch('/app-read').then(() => { root.innerHTML = '<b class=price><span>9.90</span></b>' })</script>",
        "clock": "<h1 id=t>12:00:01</h1><script>setInterval(() => { t.textContent = Date.now() % 1e8 }, 100)</script>",
        "plain": "<h1>Small</h1><script>1</script>",
        "static": "<h1>Small</h1>",
        "full": f"<h1>Shop</h1><p>{'Words. ' * 60}</p><a href=/a>a</a><script>1</script>",
        "leaves": "<div id=root>Loading…</div><script src=/app-leaves.js></script>",
        "endless": "<h1>List</h1><div id=root></div><script>let n = 0; const more = () => { for (let i = 0; i < 10; i += 1)"
        " root.insertAdjacentHTML('beforeend', `<p style='height:300px'><a href=/item/${n}>${n++}</a></p>`) };"
        " more(); onscroll = () => n < 40 && more()</script>",
    }
    request.html(bodies[request.rest], title="App")


@route("/app-leaves.js")
def app_leaves(request: Request) -> None:
    leave = b"fetch('/app-read').then(() => { location = '/a' })"
    request.answer(leave, Content_Type="text/javascript")


@route("/app-read")
def app_read(request: Request) -> None:
    """Answer when a test says that the page was read; then the second look at it begins, of which
    nothing tells.
    """
    request.server.read.wait(60)
    time.sleep(0.5)
    request.answer(b"yes")


@route("/halves")
def halves(request: Request) -> None:
    """Half a surrogate pair in all that a page can be asked for."""
    request.html(
        "<h1></h1><p>fine</p><script>window.half = 'Ten \\u{1F600}'.slice(0, 5); document.title = half;"
        "document.querySelector('h1').textContent = half; document.querySelector('p').dataset.y = half</script>"
    )


@route("/named")
def named(request: Request) -> None:
    request.html("<a href=/a>a</a><script>window.name = 'mine'</script>")


@route("/hash-app")
def hash_app(request: Request) -> None:
    """An app that shows one of three views, by its fragment, and its frame of another."""
    request.html(
        "<div id=view></div><script>const show = () => {"
        "const name = location.hash.slice(2) || 'start';"
        "document.querySelector('#view').innerHTML = `<h1>${name}</h1>`"
        " + ['a', 'b'].map(n => `<a href='#/${n}'>${n}</a>`).join('') };"
        "addEventListener('hashchange', show); show()</script>"
        "<iframe srcdoc='<a href=/framed#/c>c</a>'></iframe>"
    )


@route("/fetches")
def fetches(request: Request) -> None:
    """A slow answer, and what comes of it: more than a look at finished loads would see."""
    request.html(
        "<script>onload = async () => { const one = await (await fetch('/slow-json')).json();"
        "const two = await (await fetch('/slow-json')).json();"
        "document.body.insertAdjacentHTML('beforeend', `<a href=${one.path}-${two.path.slice(1)}>on</a>`) }</script>"
    )


@route("/slow-json")
def slow_json(request: Request) -> None:
    time.sleep(0.6)
    request.answer(b'{"path": "/from-fetch"}', Content_Type="application/json")


@route("/polls")
def polls(request: Request) -> None:
    request.html("<script>setInterval(() => fetch('/ok'), 100)</script>")


@route("/steps")
def steps(request: Request) -> None:
    """Consent, a search, three rounds of more; the button goes with the last."""
    request.html(
        "<button id=accept onclick='this.remove(); shop.hidden = false'>Accept</button><div id=shop hidden><input id=q>"
        "<select id=kind><option value=a>Books</option><option value=b>Lamps</option></select><p id=found></p><div id=list></div>"
        "<button class=more>More</button></div><script>let n = 0;"
        "q.onkeydown = e => { if (e.key === 'Enter') found.textContent = `${q.value} among ${kind.value}` };"
        "document.querySelector('.more').onclick = ({target}) => { n += 1; target.disabled = true; setTimeout(() => {"
        "list.insertAdjacentHTML('beforeend', `<a href=/more/${n}>${n}</a>`); n < 3 ? target.disabled = false : target.remove()"
        "}, 100) }</script>"
    )


@route("/covered")
def covered(request: Request) -> None:
    """A button under a veil that lifts after a while."""
    request.html(
        "<button onclick='location.href = \"/a\"'>Go</button><div id=veil style='position:fixed;inset:0;background:#ddd'></div>"
        "<script>setTimeout(() => veil.remove(), 300)</script>"
    )


@route("/shadows")
def shadows(request: Request) -> None:
    """An open shadow root within another, and a closed one."""
    request.html(
        "<h1>Light</h1><a href=/from-light>on</a><div id=outer></div><div id=closed></div><script>"
        "const one = outer.attachShadow({mode: 'open'});"
        "one.innerHTML = '<a href=/from-shadow>on</a><p class=deep>shade</p><div></div>';"
        "const two = one.querySelector('div').attachShadow({mode: 'open'});"
        "two.innerHTML = '<a href=/from-depth>on</a><button onclick=\"this.textContent = 1\">0</button><input>';"
        "closed.attachShadow({mode: 'closed'}).innerHTML = '<a href=/from-closed>on</a>'</script>"
    )


@route("/cards")
def cards(request: Request) -> None:
    """Cards of books, which a script made, with all that a reader does not see."""
    request.html(
        "<h1>Shelf<script>var hidden = 1</script></h1><noscript><h1>Switch JavaScript on</h1><div class=card>no</div></noscript>"
        "<template><div class=card><h2>{{ title }}</h2></div></template><div id=shelf></div><div id=shade></div><script>"
        "shelf.innerHTML = ['Emma|12,99 €', 'Persuasion|sold out'].map((row, n) => { const [title, price] = row.split('|');"
        "return `<div class=card data-n=${n}><h2>${title}</h2><a href='book/${n}'><img src='/c${n}.png'></a><b>${price}</b><ul><li>x</li><li>y</li></ul></div>` }).join('');"
        "shade.attachShadow({mode: 'open'}).innerHTML = '<h1>Shade</h1><div class=offer><b>Half price</b><a href=offers>on</a></div>'</script>"
        '<script type="application/ld+json">{"@graph": [{"@type": "Product", "name": "Emma", "offers": {"price": 12.99}}]}</script>',
        title="Cards",
    )


@route("/cards-framed")
def cards_framed(request: Request) -> None:
    request.html("<h1>Around</h1><iframe src=/cards></iframe>")


@route("/framed")
def framed(request: Request) -> None:
    """A frame of this site, with one of another site in it, and one that does not answer with a
    page.
    """
    port = request.server.server_address[1]
    request.html(
        f"<h1>Frame</h1><a href=/from-frame>on</a><iframe id=other src='http://localhost:{port}/b'></iframe>"
        if request.query.get("inner")
        else "<h1>Top</h1><a href=/from-top>on</a><iframe id=inner src='/framed?inner=1'></iframe><iframe src=/204></iframe>"
    )


@route("/sent")
def sent(request: Request) -> None:
    """The headers of the request, and of a request for something of another origin."""
    port = request.server.server_address[1]
    request.html(
        f"<pre>{json.dumps(dict(request.headers))}</pre><img src=/shot.png><img src=http://localhost:{port}/ads/1.png>"
        "<video src=/clip.mp4></video><style>@font-face { font-family: own; src: url(/own.woff2) } h1 { font-family: own }"
        "</style><h1>x</h1>",
        head="<link rel=stylesheet href=/style.css>",
        Set_Cookie="session=abc",
        X_Served_By="me",
    )


@route("/tall")
def tall(request: Request) -> None:
    pixels = request.query.get("pixels", "3000")
    request.html(
        f"<div id=box style='width:100px;height:50px;background:red'></div><p style='height:{pixels}px'>tall</p>"
    )


@route("/complains")
def complains(request: Request) -> None:
    request.html(
        "<script>console.error('no good'); console.log('fine'); console.warn('so so'); setTimeout(() => oops(), 0)</script>"
    )


@route("/asks")
def asks(request: Request) -> None:
    """Where are you?"""
    request.html(
        "<p id=where></p><script>navigator.geolocation.getCurrentPosition("
        "p => where.textContent = `${p.coords.latitude} ${p.coords.longitude}`,"
        "e => where.textContent = `error ${e.code}`)</script>",
        head="<meta name=viewport content='width=device-width'>",
    )


@route("/private/")
def private(request: Request) -> None:
    """For ``me`` with the password ``s3c:ret``."""
    if request.headers.get("Authorization") != "Basic " + base64.b64encode(b"me:s3c:ret").decode():
        request.html("<h1>Who?</h1>", status=401, WWW_Authenticate='Basic realm="private"')
    else:
        request.html(
            f"<h1>In</h1><p>{request.headers.get('Referer')}</p><a href=next>on</a><img src=/private/x>",
            title="In",
        )


@route("/data.csv")
def data_csv(request: Request) -> None:
    request.answer(
        b"a,b\n" * 1000,
        Content_Type="text/csv",
        Content_Disposition='attachment; filename="../data (1).csv"',
    )


@route("/hop-to-data")
def hop_to_data(request: Request) -> None:
    request.redirect("/data.csv")


@route("/offers")
def offers(request: Request) -> None:
    request.html("<a href=/data.csv>data</a>", title="Offers")


@route("/data.bin")
def data_bin(request: Request) -> None:
    """So many KB of a file, slowly; or never the last of it."""
    size = int(request.query["kb"]) * 1024
    request.send_response(200)
    for name, value in {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(size + ("never" in request.query)),
    }.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(b"x" * size)
    if "never" in request.query:
        request.wfile.flush()
        request.wait()
