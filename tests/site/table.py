"""What comes of each hostile page: one table for every endpoint.

A crawl's author sees it as ``done`` (with status, title, links and the address it ended at) or as
``failed`` (with reason, status and class). None is an unknown status. ``doubt`` marks the pages
after which the session has to be another one.
"""

from __future__ import annotations

from dataclasses import dataclass

from crawler.model import FailureClass

from .detours import ELSEWHERE

RETRY, TERMINAL, THROTTLE, CRASH = (
    FailureClass.RETRY,
    FailureClass.TERMINAL,
    FailureClass.THROTTLE,
    FailureClass.CRASH,
)


@dataclass(frozen=True)
class Done:
    """A page with a document. ``links`` are paths on the site, whole addresses elsewhere, or how
    many there are.
    """

    links: tuple[str, ...] | int = ()
    title: str | None = ""  # None: another one each time
    status: int | None = 200
    url: str | None = None  # the path that it ended at; None: where it began

    def __str__(self) -> str:
        links = self.links if isinstance(self.links, int) else len(self.links)
        at = f", at {self.url}" if self.url else ""
        return f"done, {self.status or 'unknown status'}, {links:,} link{'' if links == 1 else 's'}{at}"


@dataclass(frozen=True)
class Failed:
    """A page without one."""

    reason: str
    kind: FailureClass = TERMINAL
    status: int | None = None

    def __str__(self) -> str:
        return f"failed, {self.reason}, {self.status or 'no status'}, {self.kind.value}"


@dataclass(frozen=True)
class Row:
    """A page, what may come of it, and a word on why. ``hasty``: it costs a time-out, so it is
    asked for with little patience.

    More than one outcome is right where the page is another one at each look.
    """

    path: str
    right: tuple[Done | Failed, ...]
    why: str = ""
    hasty: bool = False
    doubt: bool | None = False  # None: perhaps


def named(path: str, *more: str, why: str = "", doubt: bool | None = False, **given: object) -> Row:
    """A page that is what it should be: titled by its name, with a link of its own, ``more`` after
    that.
    """
    name = path.strip("/").partition("?")[0]
    return Row(path, (Done((f"/from-{name}", *more), name, **given),), why, doubt=doubt)  # type: ignore[arg-type]


def failed(
    path: str,
    reason: str,
    kind: FailureClass = TERMINAL,
    status: int | None = None,
    why: str = "",
    **row: bool | None,
) -> Row:
    return Row(path, (Failed(reason, kind, status),), why, **row)  # type: ignore[arg-type]


A = Done(("/from-a",), "A", url="/a")
#: Of a page that goes on to the next without an end.
UNSETTLED = Failed("unsettled", RETRY)
HUNG = Failed("hung", RETRY)

SCRIPTS = (
    failed("/endless", "hung", RETRY, hasty=True, doubt=True),
    failed("/endless-late", "hung", RETRY, hasty=True, doubt=True),
    failed(
        "/frame-endless",
        "hung",
        RETRY,
        hasty=True,
        doubt=True,
        why="a frame of the same site shares the page's process",
    ),
    failed("/memory-bomb", "browser_lost", CRASH, doubt=True),
    failed("/tab-crash", "browser_lost", CRASH, doubt=True),
    named("/buffers", why="the engine refuses so much"),
    named("/busy"),
    named("/debugger"),
    named("/console-storm"),
    named("/errors"),
    named("/scroll-without-end"),
    named("/permissions", why="all refused, no dialog"),
    named("/overwrites", why="read in a world of scripts of our own"),
    named("/prototypes", why="the same"),
    named("/getters"),
    Row("/clobbers", (Done(("/from-clobber",), "Clobbers"),), "the same"),
    Row("/unreadable", (Done((), "Unreadable"),), "the same"),
    Row("/freezes", (Done(("/from-frozen",), "Frozen"),)),
    Row("/surrogate", (Done(("/from-surrogate",), "half \ufffd"),), "half characters are replaced"),
    Row("/title-script", (Done(("/from-title-script",), None),), "another title each moment"),
    Row("/writes-late", (Done(("/from-writing",), "written"),)),
    Row(
        "/writes-open",
        (Done(("/from-writing",), "writing"),),
        "it had loaded before it began to write",
    ),
)
DIALOGS = (
    Row("/alert", (Done(("/before", "/after"), "Alert"),)),
    Row("/alert-late", (Done(("/before",), "Alert later"),)),
    named("/dialogs-for-a-while", why="24 of them, all dismissed"),
    named("/dialog-timer"),
    failed("/alert-loop", "dialogs", doubt=True),
    failed("/confirm-loop", "dialogs", doubt=True),
    failed("/prompt-loop", "dialogs", doubt=True),
    Row("/stay", (Done(),)),
    named("/stay-always"),
    named("/stay-and-work"),
    named("/prints"),
)
WINDOWS = (
    Row("/popup", (Done(("/from-popup",), "Popup"),)),
    named("/popups"),
    named("/popup-chain"),
    named("/popup-timer"),
    named("/popup-that-works", why="no page opens windows, unless by a click"),
    named("/popup-with-dialog"),
    named("/blank-click", "/a"),
    Row("/closes", (Done((), "Closes"),)),
    named("/closes-itself"),
)
CIRCLES = (
    failed("/loop", "redirect_loop"),
    failed("/too-long-way", "redirect_loop", why="Chrome follows twenty"),
    Row("/long-way", (A,)),
    Row(
        "/script-loop",
        (UNSETTLED, HUNG),
        "hung, if no moment is found to ask it",
        hasty=True,
        doubt=None,
    ),
    Row("/replace-storm", (UNSETTLED, HUNG), "the same", hasty=True, doubt=None),
    Row(
        "/meta-loop",
        (Done(("/from-meta-loop",), "meta-loop"), UNSETTLED),
        "by chance seen between two loads",
        doubt=None,
    ),
    Row(
        "/meta-circle",
        (
            Done(("/from-meta-circle", "/meta-circle-back"), "meta-circle", url="/meta-circle"),
            Done(
                ("/from-meta-circle-back", "/meta-circle"),
                "meta-circle-back",
                url="/meta-circle-back",
            ),
            UNSETTLED,
        ),
        "the same",
        doubt=None,
    ),
    Row(
        "/reload-storm",
        (Done(("/from-reload-storm",), "reload-storm"), UNSETTLED),
        "the same",
        doubt=None,
    ),
    *(
        Row(
            f"/{storm}",
            tuple(Done((f"/from-{storm}",), storm, url=url) for url in (there, None)),
            "by chance seen before its first step",
            doubt=None,
        )
        for storm, there in (("push-storm", "/pushed-*"), ("hash-storm", "/hash-storm#*"))
    ),
    Row("/pushes", (Done(("/from-pushed",), "Pushed", url="/pushed"),)),
    Row("/moves", (A,)),
    Row("/meta", (A,)),
    Row("/refresh-header", (A,)),
    Row("/frame-top", (A,)),
    failed("/back", "no_document", why="back to the page before, which is another's"),
    failed("/blank", "no_document"),
)
#: By which way a page may lead to what is no web page, and what comes of it where it is not its own
#: document: it is left then.
NOWHERE = {
    **{(way, "about"): Failed("no_document") for way in ("meta-to", "script-to", "click-to")},
    **{(way, there): Failed("unsupported_scheme") for way in ("meta-to", "script-to", "click-to") for there in ("srcdoc", "ws")},
    ("meta-to", "bad"): Failed("unsupported_scheme"), ("click-to", "bad"): Failed("unsupported_scheme"),
    **{("header-to", there): Failed("no_content") for there in ("source", "javascript", "mailto", "unknown", "ftp", "intent")},
    ("header-to", "ws"): Failed("unsupported_scheme"), ("header-to", "empty"): Done(status=302),
}  # fmt: skip
SCHEMES = (
    *(
        Row(
            f"/{way}/{there}",
            (
                NOWHERE.get(
                    (way, there),
                    Failed("bad_redirect") if way == "header-to" else Done((f"/from-{way}",), way),
                ),
            ),
        )
        for way in ("header-to", "meta-to", "script-to", "click-to")
        for there in ELSEWHERE
        if there != "empty" or way == "header-to"
    ),
    Row("/links-to-elsewhere", (Done(("/from-links",), "links-to-elsewhere"),)),
    failed("/to-blob", "unsupported_scheme"),
    failed("/to?url=mailto:x@y.z", "no_content"),
    failed(
        "/script-to-refused", "refused", RETRY, why="a script led to a port that nobody listens on"
    ),
)
DOWNLOADS = (
    failed("/download", "download"),
    failed("/to?url=/download", "download"),
    Row("/download-by-script", (Done(("/from-script",), "Mine"),)),
    named("/meta-download", "/download"),
    named("/click-download", "/ok"),
    named("/blob-download"),
    named("/frame-download", "/download"),
    failed("/unknown-kind", "download"),
    failed("/pdf", "download", why="a headless shell has no viewer, so nobody's is used"),
)
ANSWERS = (
    failed("/silence", "timeout", RETRY, hasty=True),
    failed("/headers-slow", "timeout", RETRY, hasty=True),
    Row(
        "/slow-body", (Done(("/from-slow",), "Slow"),), "as far as it came", hasty=True, doubt=None
    ),
    Row(
        "/body-without-end",
        (Done(("/from-body-without-end",), "body-without-end"),),
        "the same",
        hasty=True,
        doubt=None,
    ),
    Row(
        "/slow-image",
        (Done(("/from-slow-image",), "Slow image"),),
        "the same",
        hasty=True,
        doubt=None,
    ),
    failed("/truncated?kb=1", "truncated", RETRY, 200),
    failed("/truncated?kb=300", "truncated", RETRY, 200),
    failed("/chunks-broken", "truncated", RETRY, 200),
    failed("/gzip-lie", "truncated", RETRY, 200),
    Row("/gzip-broken", (Done((), "x"),), "Chrome takes what it can unpack"),
    failed("/no-answer", "empty_response", RETRY),
    failed("/reset", "reset", RETRY),
    failed("/garbage", "bad_response", RETRY),
    failed("/http09", "bad_response", RETRY),
    failed("/headers-huge", "bad_response"),
    named("/headers-large"),
    named("/headers-early"),
    failed("/204", "no_content"),
    failed("/status-205", "no_content"),
    failed("/status-304", "no_content"),
    named("/status-300", status=300),
    named("/redirect-nowhere", status=302),
    failed("/status-999", "http_999", status=999),
    failed("/404", "http_404", status=404),
    failed("/404-empty", "http_404", status=404),
    failed("/500", "http_500", RETRY, 500),
    failed("/500-empty", "http_500", RETRY, 500),
    failed("/429-empty", "http_429", THROTTLE, 429),
    failed("/401", "auth_required", status=401),
    failed("/401-body", "auth_required", status=401),
    failed("/401-digest", "auth_required", status=401),
    failed("/401-other", "auth_required", status=401),
    failed("/407", "bad_response", why="no proxy is there that may ask"),
    named("/401-frame", "/401-body", why="a password that a part asks for holds nothing up"),
)
DOCUMENTS = (
    Row("/links-100000", (Done(100_000, "links-100000"),)),
    Row("/links-200000", (Done(100_000, "links-200000"),), "so many are taken, and no more"),
    named("/huge", "/from-the-end", why="50 MB"),
    named("/huge-compressed", "/from-the-end", why="50 MB in 0.4"),
    Row("/deep", (Done(("/from-deep", "/from-the-depth"), "deep"),)),
    Row(
        "/long-words",
        (Done(2, "x" * 1_000_000),),
        "a title, a link and its text of a megabyte each",
    ),
    Row("/lines", (Done(("/from-lines", "/xyz"), "li ne s \ufffd"),)),
    named(
        "/frames",
        *("/a", "/no-link", "/204", "/404", "/no-answer", "/download", "/401", "/alert", "/b"),
    ),
    named("/frames-many", *(f"/a?{n}" for n in range(100))),
    named("/frames-deep", "/frames-deep?n=1"),
    named("/frames-recursive", "/frames-recursive?n=0", "/frames-recursive?n=1"),
    Row("/frameset", (Done(("/a", "/b"), "frameset"),)),
    named("/frame-denied"),
    named("/sandboxed"),
    named("/trusted-types"),
    Row("/strict", (Done(("/from-strict",), "Strict"),)),
    named("/titles"),
    Row(
        "/base-elsewhere",
        (
            Done(
                tuple(
                    f"http://{there}"
                    for there in (
                        "elsewhere.test/from-base-elsewhere",
                        "elsewhere.test/dir/deep",
                        "other.test/x",
                        "elsewhere.test/dir/",
                    )
                ),
                "base-elsewhere",
            ),
        ),
    ),
    named("/base-javascript", "/base-javascript?q"),
    named("/base-data", "/base-data?q"),
    named("/base-many"),
    Row(
        "/base-script",
        (Done(("http://moved.test/from-base-script", "http://moved.test/rest"), "base-script"),),
    ),
    Row("/charset-wrong", (Done(("/caf%EF%BF%BD",), "charset-wrong \ufffd"),)),
    named("/charset-unknown"),
    Row("/charset-utf16", (Done(("/from-charset-utf16",), "charset-utf16 \u00e9"),)),
    Row("/charset-late", (Done(("/from-charset-late",), "charset-late \u043f"),)),
    Row("/charset-zeros", (Done(("/from-%EF%BF%BDcharset-zeros",), "charset\ufffd-zeros"),)),
    Row("/text", (Done(),)),
    Row("/json", (Done(),)),
    Row("/xml", (Done(),)),
    Row("/xml-broken", (Done(),)),
    named("/xhtml"),
    Row("/svg", (Done((), "svg"),)),
    Row("/png", (Done((), "png (1\u00d71)"),)),
    Row("/video", (Done(),)),
    Row("/nothing-in-it", (Done(),)),
    named("/no-kind"),
)
WORKERS = (
    Row(
        "/worker-page",
        (Done(("/from-worker-page",), "worker-page"),),
        "no later page is that of its service worker",
    ),
    named("/clear-site-data"),
    Row("/form-post", (Done((), "Answer", url="/form"),)),
    named("/location-without-redirect"),
    Row("/redirect-with-fragment", (Done(("/from-a",), "A", url="/a#part"),)),
    Row("/redirect-to-user", (Done(1, "A", url="/a"),), "to an address with a name and a password"),
    failed("/redirect-odd", "http_404", status=404),
)
#: Sections, for people.
SECTIONS = {
    "Scripts": SCRIPTS, "Dialogs": DIALOGS, "Windows": WINDOWS, "Round in circles": CIRCLES, "Elsewhere": SCHEMES,
    "Downloads": DOWNLOADS, "Answers": ANSWERS, "Documents": DOCUMENTS, "In between": WORKERS,
}  # fmt: skip
HOSTILE = tuple(row for rows in SECTIONS.values() for row in rows)
#: Pages that keep a processor busy for seconds, though they are what they should be.
HEAVY = ("/links-100000", "/links-200000", "/huge-compressed", "/long-words", "/console-storm")
