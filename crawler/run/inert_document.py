"""A document of a stranger as HTML that does nothing in a browser: it runs, loads, leads nowhere.

It is written anew from its tree. Only elements and attributes that can do nothing keep their names;
of the others the names and the values are kept as text, for people who look for what a selector
should have found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any

#: Elements that do nothing without attributes, and hold elements and text as others do. So do those
#: with a dash in their names, for want of a script.
HARMLESS = frozenset(
    re.findall(
        r"\w+",
        """
        a abbr address article aside b bdi bdo blockquote br caption cite code col colgroup data dd
        del details dfn div dl dt em figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup hr i
        img ins kbd label li main mark menu nav ol p pre q rp rt ruby s samp section small span
        strong sub summary sup table tbody td tfoot th thead time tr u ul var wbr
        """,
    )
)
#: Those of them that have no end.
VOID = frozenset(("br", "col", "hr", "img", "wbr"))
#: Elements whose content is not shown.
UNSEEN = frozenset(("head", "script", "style", "template", "noscript", "title", "comment"))
#: Attributes that do nothing.
HARMLESS_ATTRIBUTES = frozenset(
    re.findall(
        r"\w+", "class id title lang dir alt colspan rowspan scope role hidden open datetime"
    )
)
#: The name of an element that is not written as itself, and the beginning of such an attribute.
WAS = "data-was"

_CUSTOM = re.compile(r"[a-z][a-z0-9]*-[a-z0-9-]{1,60}")
_NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,60}")
_KEPT = re.compile(r"(?:data|aria)-[a-z0-9_.-]{1,60}")
#: Names with a dash that are no custom elements (SVG, MathML).
_NO_CUSTOM = re.compile("annotation-xml|color-profile|font-face(-.*)?|missing-glyph")


def inert(html: str) -> str:
    """Return ``html`` as a document that does nothing; "" if it holds nothing."""
    import parsel  # 0.1 s, and few runs keep a snapshot

    root = parsel.Selector(text=html.replace("\0", "\ufffd") or " ", type="html").root
    return "".join(_pieces(root))


def _pieces(root: Any) -> Iterator[str]:
    """Yield the parts of the document. A stack, because documents may be deeper than Python's."""
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
            continue
        name = node.tag.lower() if isinstance(node.tag, str) else "comment"
        harmless = name in HARMLESS or (_CUSTOM.fullmatch(name) and not _NO_CUSTOM.fullmatch(name))
        yield _start(name, node, bool(harmless))
        if node.tail and node is not root:
            stack.append(_text(node.tail))
        if name in VOID and harmless:
            continue
        stack.append(f"</{name if harmless else 'span'}>")
        stack.extend(reversed(node))
        if node.text:
            stack.append(_text(node.text))


def _start(name: str, node: Any, harmless: bool) -> str:
    """Return the start of an element."""
    words = [name] if harmless else ["span", f'{WAS}="{_text(name)}"']
    if name in UNSEEN:
        words.append("hidden")
    taken = set()
    for key, value in node.attrib.items() if name != "comment" else ():
        key = str(key).lower().replace(":", "-")
        if not (key in HARMLESS_ATTRIBUTES or _KEPT.fullmatch(key)):
            key = f"{WAS}-{key}"
        if _NAME.fullmatch(key) and key not in taken:
            taken.add(key)
            words.append(f'{key}="{_text(value)}"')
    return f"<{' '.join(words)}>"


def _text(text: str) -> str:
    return escape(str(text), quote=True)
