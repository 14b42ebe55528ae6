"""Pages that lead elsewhere: by header, meta, script or click; to what is no web page; in circles;
and by a worker in between.
"""

from __future__ import annotations

from urllib.parse import unquote

from .server import Request, route
from .traps import script

#: Places no link may lead to.
ELSEWHERE = {
    "file": "file:///etc/passwd", "chrome": "chrome://version", "source": "view-source:http://127.0.0.1/",
    "data": "data:text/html,<a href=http://x.test>x</a>",
    "about": "about:blank", "srcdoc": "about:srcdoc", "javascript": "javascript:1", "mailto": "mailto:x@y.z",
    "unknown": "x-unheard-of://y", "ftp": "ftp://127.0.0.1/", "devtools": "devtools://devtools/bundled/inspector.html",
    "filesystem": "filesystem:http://127.0.0.1/x",
    "crash": "chrome://crash", "ws": "ws://127.0.0.1/", "intent": "intent://x#Intent;end",
    "bad": "http://", "empty": "",
}  # fmt: skip


@route("/header-to/")
def header_to(request: Request) -> None:
    """A redirect by HTTP to one of ELSEWHERE."""
    request.redirect(ELSEWHERE[request.rest])


@route("/meta-to/")
def meta_to(request: Request) -> None:
    name = request.rest
    request.html(
        "<a href=/from-meta-to>on</a>",
        title="meta-to",
        head=f'<meta http-equiv=refresh content="0;url={ELSEWHERE[name]}">',
    )


@route("/script-to/")
def script_to(request: Request) -> None:
    request.html(
        f'<a href=/from-script-to>on</a><script>location.href = "{ELSEWHERE[request.rest]}"</script>',
        title="script-to",
    )


@route("/click-to/")
def click_to(request: Request) -> None:
    """Clicks its own link, and opens it in a window, too."""
    there = ELSEWHERE[request.rest]
    code = f'document.querySelector("#x").click(); open("{there}")'
    request.html(
        f'<a href=/from-click-to>on</a><a id=x href="{there}">x</a><script>{code}</script>',
        title="click-to",
    )


@route("/links-to-elsewhere")
def links_to_elsewhere(request: Request) -> None:
    links = "".join(
        f'<a href="{there}">{name}</a>' for name, there in ELSEWHERE.items() if name != "empty"
    )
    request.html(
        f"<a href=/from-links>on</a>{links}<a href='blob:null/x'>blob</a>",
        title="links-to-elsewhere",
    )


@route("/to-blob")
def to_blob(request: Request) -> None:
    script(
        request,
        "const kind = { type: 'text/html' };"
        "location.href = URL.createObjectURL(new Blob(['<title>blob</title><a href=http://x.test>x</a>'], kind))",
    )


@route("/script-loop")
def script_loop(request: Request) -> None:
    """Two pages that send each other on for ever."""
    script(request, "location.href = '/script-loop-back'")


@route("/script-loop-back")
def script_loop_back(request: Request) -> None:
    script(request, "location.href = '/script-loop'")


@route("/refresh-by-meta")
def refresh_by_meta(request: Request) -> None:
    """One that the page declares, which has content of its own."""
    head = "<meta http-equiv=Refresh content=\"2; URL='behind#top'\">"
    request.html(f"<a href=/other>other</a><p>{'much ' * 250}", head=head)


@route("/refresh-by-header")
def refresh_by_header(request: Request) -> None:
    request.html(f"<a href=/other>other</a><p>{'much ' * 250}", Refresh="2; url=/behind")


#: Pages that are shown until they lead on, by a refresh or by a script: their heads or bodies.
ONWARD = {
    "meta": "<meta http-equiv=refresh content='2; url=/behind'>",
    "timer": "<script>setTimeout(() => { location = '/behind' }, 300)</script>",
    "load": "<script>onload = () => setTimeout(() => location.replace('/behind'), 300)</script>",
    "form": "<form action=/behind></form><script>setTimeout(() => document.forms[0].submit(), 300)</script>",
    "chain": "<script>setTimeout(() => { location = '/onward/timer' }, 300)</script>",
    "circle": "<script>setTimeout(() => { location = '/onward/back' }, 200)</script>",
    "back": "<script>setTimeout(() => { location = '/onward/circle' }, 200)</script>",
    "again": "<meta http-equiv=refresh content=2>",
    "out": "<meta http-equiv=refresh content='2; url=http://localhost:{port}/behind'>",
    "inert": "<noscript><meta http-equiv=refresh content='2; url=/behind'></noscript>"
    "<template><meta http-equiv=refresh content='2; url=/behind'></template>",
    "late": "<div id=app></div><script>setTimeout(() => { if (!window.x) app.innerHTML = '<h1>Come</h1><a href=/a>a</a>';"
    " else location = '/behind' }, 300)</script>",
}


@route("/onward/")
def onward(request: Request) -> None:
    code = ONWARD[request.rest].replace("{port}", str(request.server.server_address[1]))
    request.html(f"Wait. <a href=/from-onward>on</a>{code}" if "meta" in code else f"Wait.{code}")


@route("/onward-header")
def onward_header(request: Request) -> None:
    request.html("Wait.", Refresh="2; url=/behind")


@route("/onward-404")
def onward_404(request: Request) -> None:
    request.html("Not here." + ONWARD["meta"], status=404)


@route("/behind")
def behind(request: Request) -> None:
    request.html("<h1>Behind</h1><a href=/from-behind>on</a>", title="Behind")


@route("/refresh-of-itself")
def refresh_of_itself(request: Request) -> None:
    head = "<meta http-equiv=refresh content=3>"
    request.html("<a href=/other>other</a>", head=head)


@route("/meta-circle")
def meta_circle(request: Request) -> None:
    script(request, "", head="<meta http-equiv=refresh content='0;url=/meta-circle-back'>")


@route("/meta-circle-back")
def meta_circle_back(request: Request) -> None:
    script(request, "", head="<meta http-equiv=refresh content='0;url=/meta-circle'>")


@route("/long-way")
def long_way(request: Request) -> None:
    """Nineteen redirects, and then a page; a browser follows twenty."""
    request.redirect("/hop/18")


@route("/too-long-way")
def too_long_way(request: Request) -> None:
    request.redirect("/hop/25")


@route("/meta-download")
def meta_download(request: Request) -> None:
    script(request, "", head="<meta http-equiv=refresh content='0;url=/download'>")


@route("/click-download")
def click_download(request: Request) -> None:
    script(
        request, "document.querySelector('#x').click()", "<a id=x href=/ok download=x.html>save</a>"
    )


@route("/blob-download")
def blob_download(request: Request) -> None:
    script(
        request,
        "const a = document.createElement('a'); a.href = URL.createObjectURL(new Blob(['x'.repeat(1e6)])); a.download = 'x.bin';"
        "for (let n = 0; n < 20; n += 1) a.click()",
    )


@route("/frame-download")
def frame_download(request: Request) -> None:
    script(request, "", "<iframe src=/download></iframe>")


@route("/form-post")
def form_post(request: Request) -> None:
    """Sends a form as it loads; the answer is another page."""
    script(
        request,
        "document.forms[0].submit()",
        "<form action=/form method=post><input name=q value=x></form>",
    )


@route("/401-frame")
def asks_in_a_frame(request: Request) -> None:
    script(request, "fetch('/401').catch(() => 0)", "<iframe src=/401-body></iframe><img src=/401>")


@route("/407")
def proxy_asks(request: Request) -> None:
    request.answer(b"who?", status=407, Proxy_Authenticate='Basic realm="x"')


@route("/401-digest")
def digest(request: Request) -> None:
    request.html(
        "<h1>Who?</h1>",
        title="Who",
        status=401,
        WWW_Authenticate='Digest realm="x", nonce="y", qop="auth"',
    )


@route("/401-other")
def other_scheme(request: Request) -> None:
    request.html("<h1>Who?</h1>", title="Who", status=401, WWW_Authenticate="Bearer")


@route("/worker-page")
def worker_page(request: Request) -> None:
    """Puts a service worker between every later page of this site and its server, and waits until
    it is at work.
    """
    script(
        request,
        "navigator.serviceWorker?.register('/worker.js').then(() => navigator.serviceWorker.ready).then("
        "  () => new Promise(done =>"
        "    navigator.serviceWorker.controller ? done() : navigator.serviceWorker.oncontrollerchange = done)"
        ").then(() => { document.body.id = 'worked' })",
    )


@route("/worker.js")
def worker_script(request: Request) -> None:
    body = (
        "self.addEventListener('install', () => self.skipWaiting());"
        "self.addEventListener('activate', e => e.waitUntil(self.clients.claim()));"
        "self.addEventListener('fetch', e => { if (e.request.mode === 'navigate') e.respondWith(new Response("
        "'<title>Lies</title><a href=/from-lies>lies</a>', { headers: { 'Content-Type': 'text/html' } })) });"
    )
    request.answer(body.encode(), Content_Type="text/javascript", Service_Worker_Allowed="/")


@route("/clear-site-data")
def clear_site_data(request: Request) -> None:
    script(request, "", Clear_Site_Data='"*"')


@route("/refresh-header")
def refresh_header(request: Request) -> None:
    script(request, "", Refresh="0;url=/a")


@route("/location-without-redirect")
def location_without_redirect(request: Request) -> None:
    script(request, "", Location="/a")


@route("/redirect-with-fragment")
def redirect_with_fragment(request: Request) -> None:
    request.redirect("/a#part")


@route("/redirect-to-user")
def redirect_to_user(request: Request) -> None:
    """To an address with a name and a password."""
    request.redirect(request.server.url("/a").replace("//", "//name:word@"))


@route("/redirect-odd")
def redirect_odd(request: Request) -> None:
    request.redirect(unquote("/%C3%A4%20%22%3C").encode().decode("latin-1"))


@route("/redirect-nowhere")
def redirect_nowhere(request: Request) -> None:
    """A redirect without an address; its page is shown."""
    request.html("<a href=/from-redirect-nowhere>on</a>", title="redirect-nowhere", status=302)


@route("/script-to-refused")
def script_to_refused(request: Request) -> None:
    """A script leads to a port that nobody listens on."""
    script(request, "location.href = 'http://127.0.0.1:8/'")
