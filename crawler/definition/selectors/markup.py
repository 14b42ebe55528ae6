"""The source of a rendered page without its inert parts: ``noscript`` and ``template``."""

from __future__ import annotations

import re

_INERT = re.compile(r"<(?:noscript|template)[\s/>]", re.IGNORECASE)
#: A comment, the beginning of what is text for a parser (up to its end tag), or another tag.
_TAG = re.compile(
    r"<!--|<(?P<text>script|style|textarea|title|iframe|xmp|noembed|noframes|noscript)(?=[\s/>])"
    r"|<(?P<template>/?template)(?=[\s/>])(?P<attributes>(?:[^>\"']|\"[^\"]*\"|'[^']*')*)>"
    r"|<[a-z](?:[^>\"']|\"[^\"]*\"|'[^']*')*>",
    re.IGNORECASE,
)


def without_inert(html: str) -> str:
    """Return ``html`` without its ``noscript`` and ``template`` elements.

    They are cut from the text: a parser without scripts takes the content of ``noscript`` for
    elements, and lets them end the head. Takes time in proportion to the text.
    """
    if _INERT.search(html) is None:
        return html
    parts, kept, at = [], 0, 0
    templates: list[bool] = []  # those that are open: whether each is inert
    endless: set[str] = set()
    while tag := _TAG.search(html, at):
        at = tag.end()
        was_inert = any(templates)
        name = "-->" if tag[0] == "<!--" else (tag["text"] or "").lower()
        if tag["template"] and tag["template"].startswith("/"):
            del templates[-1:]
        elif tag["template"]:
            templates.append("shadowrootmode" not in tag["attributes"].lower())
        elif name and name not in endless:
            end = _end_of(name, html, at)
            if end is None:
                endless.add(name)
            else:
                at = end
        cut = name == "noscript" and not was_inert and name not in endless
        if cut or any(templates) > was_inert:
            parts.append(html[kept : tag.start()])
        if cut or any(templates) < was_inert:
            kept = at
    return "".join(parts) + ("" if any(templates) else html[kept:])


def _end_of(name: str, html: str, at: int) -> int | None:
    """Return where the end tag ``name`` (or the mark ``-->``) that follows ``at`` is passed."""
    mark = name if name == "-->" else rf"</{name}(?=[\s/>])[^>]*>"
    end = re.compile(mark, re.IGNORECASE).search(html, at)
    return end.end() if end else None


_NOSCRIPT = re.compile(r"<noscript[\s/>]", re.IGNORECASE)


def with_silent_noscript(html: str) -> str:
    """Return ``html`` with nothing in its ``noscript`` elements, whose content is text where
    scripts run. Takes time in proportion to the text.
    """
    if _NOSCRIPT.search(html) is None:
        return html
    parts, kept, at = [], 0, 0
    endless: set[str] = set()
    while tag := _TAG.search(html, at):
        at = tag.end()
        name = "-->" if tag[0] == "<!--" else (tag["text"] or "").lower()
        if not name or name in endless:
            continue
        if (end := _end_of(name, html, at)) is None:
            endless.add(name)
            continue
        if name == "noscript":
            opened = html.find(">", tag.start()) + 1
            parts.append(html[kept:opened])
            kept = html.rfind("<", 0, end)
        at = end
    return "".join(parts) + html[kept:]
