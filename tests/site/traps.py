"""Pages whose scripts keep a browser busy: loops, bombs, dialogs, windows, storms of navigations,
wishes for permissions.
"""

from __future__ import annotations

from .server import Request, route


def script(request: Request, code: str, body: str = "", **more: str) -> None:
    """A page named after its path, with one link that tells whose it is, which runs ``code``."""
    name = request.path.strip("/").partition("?")[0]
    request.html(
        f"<h1>{name}</h1><a href=/from-{name}>on</a>{body}<script>{code}</script>",
        title=name,
        **more,
    )


@route("/memory-bomb")
def memory_bomb(request: Request) -> None:
    """Numbers without end, in the heap of scripts."""
    script(request, "const all = []; while (true) all.push(new Array(100000).fill(Math.random()))")


@route("/memory-bomb-late")
def memory_bomb_late(request: Request) -> None:
    """The same, a while after it has loaded."""
    script(
        request,
        "setTimeout(() => { const all = []; while (true) all.push(new Array(100000).fill(Math.random())) }, 50)",
    )


@route("/tab-crash")
def tab_crash(request: Request) -> None:
    """A style sheet whose brackets need more stack than there is. No browser of this engine
    survives that.
    """
    request.html("<style>" + "a{" * 100_000 + "</style>", title="tab-crash")


@route("/buffers")
def buffers(request: Request) -> None:
    """More typed arrays than there is memory for, were they written to; the engine refuses them
    some time.
    """
    script(
        request,
        "const all = []; try { for (let n = 0; n < 1e5; n += 1) all.push(new Uint8Array(2 ** 33)) } catch {}",
    )


@route("/confirm-loop")
def confirm_loop(request: Request) -> None:
    script(request, "while (!confirm('sure?'));")


@route("/prompt-loop")
def prompt_loop(request: Request) -> None:
    script(request, "while (prompt('name?') === null);")


@route("/dialogs-for-a-while")
def dialogs_for_a_while(request: Request) -> None:
    script(request, "for (let n = 0; n < 8; n += 1) { alert(n); confirm(n); prompt(n) }")


@route("/dialog-timer")
def dialog_timer(request: Request) -> None:
    """Ten dialogs a second."""
    script(request, "setInterval(() => alert('still here'), 100)")


@route("/stay-always")
def stay_always(request: Request) -> None:
    """Asks before it is left, without waiting for a gesture, and in the dialog's stead opens
    another.
    """
    script(
        request,
        "onbeforeunload = e => { alert('no'); e.preventDefault(); return e.returnValue = 'stay' }; onunload = () => alert('no')",
    )


@route("/stay-and-work")
def stay_and_work(request: Request) -> None:
    """Works for a while when it is left."""
    script(
        request,
        "onpagehide = onbeforeunload = () => { const end = Date.now() + 500; while (Date.now() < end); }",
    )


@route("/popups")
def popups(request: Request) -> None:
    script(request, "for (let n = 0; n < 20; n += 1) open('/a?' + n)")


@route("/popup-chain")
def popup_chain(request: Request) -> None:
    """A window that opens a window, and so on."""
    n = int(request.query.get("n", 0))
    script(request, f"open('/popup-chain?n={n + 1}', '_blank')" if n < 6 else "")


@route("/popup-timer")
def popup_timer(request: Request) -> None:
    script(request, "setInterval(() => open('/a'), 20)")


@route("/popup-that-works")
def popup_that_works(request: Request) -> None:
    """A window that never ends what it does; it shares the page's process."""
    script(request, "open('/endless')")


@route("/popup-with-dialog")
def popup_with_dialog(request: Request) -> None:
    script(request, "open('/alert-loop')")


@route("/blank-click")
def blank_click(request: Request) -> None:
    """Follows its own link to a window of its own."""
    script(
        request, "document.querySelector('#out').click()", "<a id=out href=/a target=_blank>out</a>"
    )


@route("/closes-itself")
def closes_itself(request: Request) -> None:
    """The trick by which a page that no script opened may close its window."""
    script(
        request, "open('', '_self').close(); window.close(); setInterval(() => window.close(), 10)"
    )


@route("/prints")
def prints(request: Request) -> None:
    script(request, "print(); onload = () => print(); setInterval(() => print(), 100)")


@route("/push-storm")
def push_storm(request: Request) -> None:
    script(
        request,
        "let n = 0; setInterval(() => { for (let i = 0; i < 100; i += 1) history.pushState({}, '', '/pushed-' + n++) }, 1)",
    )


@route("/hash-storm")
def hash_storm(request: Request) -> None:
    script(
        request,
        "let n = 0; setInterval(() => { for (let i = 0; i < 100; i += 1) location.hash = n++ }, 1)",
    )


@route("/replace-storm")
def replace_storm(request: Request) -> None:
    """Leaves for itself at every chance, and so never has loaded."""
    script(request, "location.replace('/replace-storm?' + Math.random())")


@route("/reload-storm")
def reload_storm(request: Request) -> None:
    """Loads itself anew as soon as it has loaded."""
    script(request, "onload = () => setTimeout(() => location.reload(), 0)")


@route("/meta-loop")
def meta_loop(request: Request) -> None:
    script(request, "", "", head="<meta http-equiv=refresh content='0;url=/meta-loop'>")


@route("/scroll-without-end")
def scroll_without_end(request: Request) -> None:
    script(
        request,
        "const grow = () => { for (let n = 0; n < 10; n += 1) document.body.append(document.createElement('p')) };"
        "new IntersectionObserver(grow).observe(document.querySelector('#end')); setInterval(grow, 5); scrollTo(0, 1e9)",
        "<p style='height: 3000px'></p><p id=end>more</p>",
    )


@route("/permissions")
def permissions(request: Request) -> None:
    """Asks for everything."""
    script(
        request,
        "const ask = f => { try { Promise.resolve(f()).catch(() => 0) } catch {} };"
        "ask(() => navigator.geolocation.getCurrentPosition(() => document.title = 'granted', () => 0));"
        "ask(() => Notification.requestPermission().then(p => { if (p === 'granted') document.title = p }));"
        "ask(() => navigator.mediaDevices.getUserMedia({ video: true, audio: true }).then(() => document.title = 'granted'));"
        "ask(() => navigator.mediaDevices.getDisplayMedia().then(() => document.title = 'granted'));"
        "ask(() => navigator.clipboard.readText().then(() => document.title = 'granted'));"
        "ask(() => navigator.requestMIDIAccess({ sysex: true }).then(() => document.title = 'granted'));"
        "ask(() => navigator.storage.persist());"
        "ask(() => navigator.wakeLock.request('screen'));"
        "ask(() => navigator.bluetooth.requestDevice({ acceptAllDevices: true }));"
        "ask(() => navigator.usb.requestDevice({ filters: [] }));"
        "ask(() => navigator.registerProtocolHandler('web+x', '/a?%s'));"
        "const total = { label: 'x', amount: { currency: 'EUR', value: 1 } };"
        "ask(() => new PaymentRequest([{ supportedMethods: 'https://x.test' }], { total }).show());"
        "ask(() => document.documentElement.requestFullscreen());"
        "ask(() => document.documentElement.requestPointerLock());"
        "ask(() => navigator.keyboard.lock());"
        "ask(() => showOpenFilePicker());",
        "<input type=file id=f>",
    )


@route("/busy")
def busy(request: Request) -> None:
    """Has timers and workers that never rest, and leaves time for nothing else."""
    code = "const work = new Worker(URL.createObjectURL(new Blob(['while (true);'])));"
    script(
        request,
        code
        + "const on = () => { const end = Date.now() + 20; while (Date.now() < end); setTimeout(on, 0) }; on()",
    )


@route("/debugger")
def debugger(request: Request) -> None:
    """Stops wherever somebody listens."""
    script(request, "setInterval(() => { debugger }, 1); debugger")


@route("/console-storm")
def console_storm(request: Request) -> None:
    script(request, "for (let n = 0; n < 20000; n += 1) console.log('x'.repeat(200), n, { n })")


@route("/errors")
def errors(request: Request) -> None:
    script(
        request,
        "setInterval(() => { throw new Error('x') }, 1); Promise.reject('x'); onerror = () => { throw 1 }; null.x",
    )


@route("/overwrites")
def overwrites(request: Request) -> None:
    """Takes away what a script of ours might call."""
    script(
        request,
        """
        for (const name of ["JSON", "Object", "Array", "Map", "Set", "Promise", "String", "performance", "setTimeout",
                            "getComputedStyle", "Document", "Element", "Node", "HTMLElement",
                            "RegExp", "Symbol", "Reflect", "Function"])
          try { Object.defineProperty(window, name, { value: null }) } catch {}
        document.querySelectorAll = () => []; document.querySelector = () => null; document.title = "overwrites";
        document.getElementsByTagName = () => { throw 1 };""",
    )


@route("/prototypes")
def prototypes(request: Request) -> None:
    """Changes what every object inherits."""
    script(
        request,
        """
        const lie = () => { throw new Error("gone") };
        String.prototype.replace = String.prototype.trim = String.prototype.slice = String.prototype.indexOf = lie;
        String.prototype.toWellFormed = Array.prototype.map = Array.prototype.push = Array.prototype.join = lie;
        Document.prototype.querySelectorAll = lie; Object.create = lie; Object.defineProperty = lie;
        Object.getOwnPropertyDescriptor = lie; RegExp.prototype.exec = lie; RegExp.prototype[Symbol.replace] = lie;""",
    )


@route("/getters")
def getters(request: Request) -> None:
    """Names that scripts read are traps."""
    script(
        request,
        """
        for (const name of ["title", "readyState", "contentType", "URL", "documentElement", "body"])
          try { Object.defineProperty(document, name, { get() { throw new Error("no") } }) } catch {}
        Object.defineProperty(HTMLAnchorElement.prototype, "href", { get() { return 'http://lies.test/' } });
        Object.defineProperty(Node.prototype, "textContent", { get() { return 'lies' } });""",
    )
