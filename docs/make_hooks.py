"""Write hooks.md, and its picture, from the hooks and what they are handed: `make docs`. A test
holds both files to its output.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import crawler
from crawler.browser.browser import Browser
from crawler.browser.elements import Element
from crawler.browser.page import LivePage, Tab
from crawler.definition.crawl import Crawl
from crawler.errors import Blocked, Retry, Skip
from crawler.frontier.live_snapshot import LiveSnapshot
from crawler.hooks import ARGUMENTS
from crawler.model import Link, Page, Response, Result, Snapshot
from crawler.run.context import Stop
from crawler.run.follow import Follow

HEAD = """\
# Hooks

Code of yours that is called at a step of a run. A run handles one page; these are its steps, and
those with a hook:

![The steps of a run](images/steps.svg)

A hook is a function with the decorator of its step. It names the arguments that it wants, in any
order, as in pytest, and gets only those; an unknown name is an error of `crawler validate`. It may
be a method, a `functools.partial`, an object with `__call__`, or a generator. What it returns is
JSON; it is never `async`. This file is written by `make docs`.

```python
from crawler import Blocked, Crawl, Retry, Skip

shop = Crawl(name="shop", url="https://shop.example/")

@shop.extract
def book(page):
    if page.text(".captcha"):
        raise Blocked("captcha", after=600)
    if page.text(".sold-out"):
        raise Skip("sold out")
    price = page.text(".price")
    if price is None:
        raise Retry("no price yet", after=5)
    return {"title": page.text("h1"), "price": price}
```
"""
#: By step: when it is called, what it may return, and when it is called again.
STEPS = {
    "before_all": (
        "by the first run, before its page",
        "nothing; the log-in that it leaves in the browser",
        "by another run, at most three times, if it raises; then the crawl has failed",
    ),
    "before": ("before each page is requested", "nothing", "with each attempt at the page"),
    "logged_out": (
        "with each page that came",
        "something true if the log-in has expired",
        "with each attempt at the page",
    ),
    "extract": (
        "when the page was read",
        "an item, a list of them, or it yields them",
        "with each attempt at the page",
    ),
    "filter": (
        "for each link, or once for all `links`",
        "something true, or a priority; or those to keep",
        "with each attempt at the page",
    ),
    "after": (
        "when the page is done",
        "nothing",
        "if it raises or its process dies, `after_attempts` times in all, without a live page",
    ),
    "failed": ("when a page has failed for good", "nothing", "as `after`"),
    "after_all": ("when the crawl has ended", "nothing", "as `after`"),
    "start": (
        "for each further run, in place of a Celery task",
        "nothing",
        "for a run that does not come, by the next tick",
    ),
}
ARGUMENT_TEXTS = {
    "crawl": "the [crawl](settings.md#fields-of-a-crawl): its fields are attributes, and"
    " `crawl.message` is what its starter sent along",
    "page": "[the page](#page): live where there is a tab that shows it",
    "response": "[the response](#response)",
    "links": "the [links](#link) of the page, before they are chosen",
    "link": "one of the [links](#link)",
    "result": "[the result](#result)",
    "browser": "[the session](#browser): all that a live page has, `driver`, and more",
    "follow": "[queues a page](#follow) of your choice, with data for it ([links](links.md))",
    "snapshot": "[counts and state](#snapshot) of the crawl at this moment",
    "stop": "[ends or pauses the crawl](#stop)",
    "reason": "why the page failed, as in [failure reasons](failures.md)",
    "status": "its HTTP status, or None",
    "attempts": "how often it was tried",
    "ticket": "the wake-up that the further run answers: hand it to `crawler.execute`",
}
DECISIONS = """
## Retry, Skip, Blocked

A hook of a page (`before`, `logged_out`, `extract`, `filter`, `after`, `failed`) decides about its
page by raising one of three, each with a reason of a few words by which pages are counted (in the
report, `crawler info --json` and the metric `crawler_decisions`):

| raise | then |
|---|---|
"""
DECISIONS_END = """
In `after` and `failed` the page is over: `Retry` and `Blocked` have the hook called again, after
`after` seconds, and `Skip` is as good as its return.

The same without code, by what a page is known, as fields or in TOML:

```toml
[[blocked]]                      # several keys of a table hold together
selector = ".captcha"            # or a list: something in the live document matches
after = 600
[[blocked]]
status = [403, 429]
[[retry]]
text = "(?i)try again later"     # a regular expression in the visible text
after = 60
[[skip]]
url = "/discontinued/"           # a regular expression in the URL at which the page ended up
reason = "discontinued"          # else the value of the first key
```

**Anything else that a hook raises** fails its page, as a fault of the code; `hook_attempts` may
allow more than one attempt. Errors of ours that say that they may pass are none of the code: a
session that dies in a hook, and `page.wait_for` that waits in vain (`WaitTimeout`, which is a
`TimeoutError`, too), have the page tried again. What misbehaves beyond that is
[put right](operations.md#hooks-that-misbehave).
"""
#: What is handed to hooks: a title, words about it, and the classes. The first is described whole.
HANDED: tuple[tuple[str, str, tuple[type, ...]], ...] = (
    ("page", "What it tells is true of the tab at that moment.", (LivePage, Tab)),
    ("element", "`page.select_all` gives them; see [browser.md](browser.md#elements).", (Element,)),
    ("page without a document", "In `before`, `failed`, and deliveries made again.", (Page,)),
    ("browser", "It has all of the live page, and:", (Browser,)),
    ("response", "", (Response,)),
    ("result", "", (Result,)),
    ("link", "", (Link,)),
    ("follow", "What a call raises names its hook.", (Follow,)),
    (
        "snapshot",
        "`snapshot.failed(100, start=200)`: the 100 pages after the first 200; 10 without a number,"
        " 1,000 at once, and of the first 10,000. A list is a trip to Redis when it is asked for,"
        " and shows the crawl at that moment. What is sent on (JSON, Celery, `pickle`) has the"
        " numbers. A dry run (`crawler run`) lists its one page.",
        (LiveSnapshot, Snapshot),
    ),
    ("stop", "", (Stop,)),
)
#: Members of a session that hooks have a use for; the rest is for runs.
OF_BROWSER = frozenset({"session_id", "pages", "open", "headers", "cookie", "basic_auth"})
#: Members that are for other modules.
INTERNAL = frozenset({"admits", "finding"})


def page() -> str:
    """Return the whole text."""
    return "\n".join([HEAD, *_steps(), DECISIONS.strip(), *_decisions(), DECISIONS_END, *_handed()])


def _steps() -> Iterator[str]:
    yield "## The steps\n"
    yield "| hook | is called | returns | is called again | may ask for |"
    yield "|---|---|---|---|---|"
    for step, (when, returns, again) in STEPS.items():
        arguments = ", ".join(f"`{name}`" for name in ARGUMENTS[step])
        yield f"| `{step}` | {when} | {returns} | {again} | {arguments} |"
    yield "\n| argument | is |\n|---|---|"
    for name, text in ARGUMENT_TEXTS.items():
        yield f"| `{name}` | {text} |"
    yield ""
    for step in STEPS:
        yield f"**`{step}`**: {_first(getattr(Crawl, step))}\n"


def _decisions() -> Iterator[str]:
    for decision in (Retry, Skip, Blocked):
        words = ", ".join(
            str(one).split(":")[0] + ("=None" if one.default is None else "")
            for name, one in inspect.signature(decision).parameters.items()
            if name != "self"
        )
        yield f"| `{decision.__name__}({words})` | {_first(decision)} |"


def _handed() -> Iterator[str]:
    for title, text, kinds in HANDED:
        yield f"## {title}\n"
        yield " ".join(part for part in (_first(kinds[0]), text) if part) + "\n"
        rows: dict[str, str] = {}
        for kind in kinds:
            for name, row in _members(kind):
                rows.setdefault(name, row)
        yield "| name | is |\n|---|---|"
        yield from rows.values()
        yield ""
    yield "## Names to import\n\n`from crawler import …`:\n\n| name | is |\n|---|---|"
    for name in sorted(set(crawler.__all__) - {"__version__"}):
        yield f"| `{name}` | {_first(getattr(crawler, name))} |"


def _members(kind: type) -> Iterator[tuple[str, str]]:
    """Yield name and row of what hooks may use of a class: its fields, properties and methods."""
    if is_dataclass(kind):
        yield "", f"| {', '.join(f'`{field.name}`' for field in fields(kind))} | its fields |"
    for name, member in vars(kind).items():
        if name in INTERNAL or (kind is Browser and name not in OF_BROWSER):
            continue
        if name.startswith("_") and name != "__call__":
            continue
        call = inspect.unwrap(member.fget if isinstance(member, property) else member)
        if inspect.isfunction(call) and call.__doc__:
            shown = kind.__name__.lower() if name == "__call__" else name
            sign = "" if isinstance(member, property) else _sign(call)
            yield name, f"| `{shown}{sign}` | {_first(call)} |"


def _sign(call: Any) -> str:
    parameters = [
        one.replace(annotation=one.empty)
        for name, one in inspect.signature(call).parameters.items()
        if name != "self"
    ]
    return str(inspect.Signature(parameters))


def _first(thing: Any) -> str:
    """Return the first paragraph of what ``thing`` says of itself."""
    text = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return " ".join(
        re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`").replace("|", "\\|").split()
    )


PICTURE_STEPS = (
    ("validate", ""), ("browser", ""), ("queue.register", ""), ("before_all", "once a crawl"),
    ("before", ""), ("request", "logged_out"), ("extract", ""), ("filter", ""),
    ("queue.deregister", ""), ("after", "or failed"), ("start", "further runs"),
)  # fmt: skip
HOOKED = {"before_all", "before", "request", "extract", "filter", "after", "start"}


def picture() -> str:
    """Return the steps in their order as SVG: those with a hook are filled."""
    width, height, gap, row = 150, 46, 18, 6
    shapes: list[str] = []
    for place, (step, note) in enumerate(PICTURE_STEPS):
        x, y = 10 + place % row * (width + gap), 10 + place // row * (height + 44)
        kind = "hook" if step in HOOKED else "step"
        shapes.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
        )
        middle = x + width // 2
        shapes.append(f'<text x="{middle}" y="{y + (20 if note else 28)}">{step}</text>')
        if note:
            shapes.append(f'<text class="note" x="{middle}" y="{y + 37}">{note}</text>')
        if place + 1 < len(PICTURE_STEPS) and (place + 1) % row:
            shapes.append(f'<path d="M{x + width} {y + height // 2}h{gap - 6}"/>')
        elif place + 1 < len(PICTURE_STEPS):
            down = y + height
            shapes.append(f'<path d="M{middle} {down}v16H{10 + width // 2}v22"/>')
    total = 10 + row * (width + gap)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} 160" role="img">\n'
        "<title>The steps of a run</title>\n"
        "<style>rect{fill:#fff;stroke:#456}.hook{fill:#d9e8fb}text{font:14px sans-serif;"
        "text-anchor:middle;fill:#123}.note{font-size:11px;fill:#456}path{stroke:#456;fill:none;"
        "marker-end:url(#to)}</style>\n"
        '<defs><marker id="to" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6"'
        ' markerHeight="6" orient="auto"><path d="M0 0l6 3-6 3z" style="fill:#456;stroke:none;'
        'marker-end:none"/></marker></defs>\n'
        f'<rect width="{total}" height="160" style="fill:#fff;stroke:none"/>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    here = Path(__file__)
    here.with_name("hooks.md").write_text(page())
    (here.parent / "images" / "steps.svg").write_text(picture())
