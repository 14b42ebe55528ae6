"""Waits for what comes late on a page, from how the page was before and after it came."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..definition.item_differences import selector_of
from ..definition.selectors.paths import Path, parse_path
from .draft import Wait
from .proposals import Sample
from .sightings import Element

#: Characters of a text that stands in the place of another one until that comes.
STANDIN_MAX = 80
#: Types of scripts that run; "" if none is said.
SCRIPTS = ("", "module", "text/javascript", "application/javascript")

_LAST_STEP = re.compile(r"/(?:text\(\)|@[\w-]+)$")
_ATTRIBUTE = re.compile(r"attr\(\s*([\w-]+)\s*\)")


def may_change(page: Sample) -> bool:
    """Whether something of ``page`` may come late: it has scripts."""
    return any(
        (one.get("type") or "").strip().lower() in SCRIPTS
        for one in page.document.root.iter("script")
    ) or any(
        name.startswith("on")
        for one in page.document.root.iter("body", "img", "iframe")
        for name in one.attrib
    )


def wait_of(rule: Any, each: str, early: Sample, late: Sample) -> Wait | None:
    """Return the wait for what the ``rule`` of a table (in the items ``each``, if there is such a
    selector) finds on the page when it is ``late``, and not when it is ``early``; None: nothing
    tells the two apart.
    """
    path = parse_path(selector_of(rule))
    for wait in _waits(path, each, early, late):
        if "wait_for" not in wait:
            return wait
        css = parse_path(wait["wait_for"][0])
        if _elements(late, css) and not _elements(early, css):
            return wait
    return None


def wait_text(wait: Wait) -> str:
    """Return a wait as a file has it."""
    return ", ".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in wait.items()
    )


def _elements(page: Sample, path: Path) -> list[Element]:
    return page.document.elements(path, page.document.root)


def _waits(path: Path, each: str, early: Sample, late: Sample) -> Iterator[Wait]:
    """Yield waits that may do, the simplest first; those by a selector are to be tried."""
    match path.kind:
        case "css":
            base, _, pseudo = path.text.partition("::")
            css = f"{each} {base.strip()}" if each else base.strip()
            attribute = found[1] if (found := _ATTRIBUTE.match(pseudo)) else ""
            yield from _css_waits(css, attribute, early, late)
        case "xpath" if not each:
            text = _LAST_STEP.sub("", path.text)
            node = f"document.evaluate({json.dumps(text)}, document, null, 9).singleNodeValue"
            yield from _text_waits(node, Path("xpath", text), early, late)
        case "meta":
            yield {"wait_for": [f"meta[property={_quoted(path.text)}]"]}
            yield {"wait_for": [f"meta[name={_quoted(path.text)}]"]}
        case "jsonld":
            yield {"wait_for": ['script[type="application/ld+json"]']}


def _css_waits(css: str, attribute: str, early: Sample, late: Sample) -> Iterator[Wait]:
    yield {"wait_for": [css]}
    # the element is there before its content is
    alone = f":is({css})" if "," in css else css
    if attribute:
        yield {"wait_for": [f"{alone}[{attribute}]"]}
        return
    if all(_text(one) or len(one) for one in _elements(late, parse_path(css))):
        yield {"wait_for": [f"{alone}:not(:empty)"]}
    path, quoted = parse_path(css), json.dumps(css, ensure_ascii=False)
    yield from _text_waits(f"document.querySelector({quoted})", path, early, late)
    before = len(_elements(early, path))
    if len(_elements(late, path)) > before:
        yield {"wait_until": f"document.querySelectorAll({quoted}).length > {before}"}


def _text_waits(node: str, path: Path, early: Sample, late: Sample) -> Iterator[Wait]:
    """Yield the wait until the text of ``node`` (JavaScript) is another one than before."""
    before, after = (next(iter(_elements(page, path)), None) for page in (early, late))
    if after is None:
        return
    text = "" if before is None else _text(before)
    if _text(after) != text and len(text) <= STANDIN_MAX:
        quoted = json.dumps(text, ensure_ascii=False)
        yield {"wait_until": f"{node}.textContent.trim() !== {quoted}"}


def _text(one: Element) -> str:
    """Return what JavaScript calls the trimmed text of an element."""
    return str(one.xpath("string()")).strip() if hasattr(one, "xpath") else ""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
