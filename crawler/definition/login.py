"""A log-in declared as data: the form, the texts to fill in, and how to tell a success or an
expired log-in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..model import Page
from .steps import Step, Visit

#: The parts of a declared log-in: ``fill`` is a table of selectors and texts, the others are texts.
REQUIRED = ("url", "fill", "submit", "expect")
OPTIONAL = ("expired",)
#: Seconds in which each field, and the expected element, must appear.
FORM_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class Form:
    """A log-in form at ``url``, the ``visit`` that fills it in, and the selector ``expired`` of
    something that a reader sees only when logged out (or None).
    """

    url: str
    visit: Visit
    expired: str | None


def login_faults(login: Any) -> list[str]:
    """Return all that is wrong with ``login`` as an author wrote it, without a text that is to be
    filled in.
    """
    if not isinstance(login, Mapping):
        return ["is no table"]
    names = REQUIRED + OPTIONAL
    faults = [f"has no {name!r}" for name in REQUIRED if name not in login]
    faults += [
        f"has {name!r}, which is none of {', '.join(names)}" for name in login if name not in names
    ]
    if not _is_fill(login.get("fill", {"": ""})):
        faults.append("fill: is no table of selectors and texts")
    texts = {name: login[name] for name in names if name != "fill" and name in login}
    faults += [
        f"{name}: is no text"
        for name, text in texts.items()
        if not (isinstance(text, str) and text.strip())
    ]
    return faults


def _is_fill(fill: Any) -> bool:
    if not isinstance(fill, Mapping) or not fill:
        return False
    return all(isinstance(part, str) for pair in fill.items() for part in pair)


def parse_login(login: Mapping[str, Any]) -> Form:
    """Return the form that an author's table means. The table has no faults."""
    steps = tuple(Step("fill", css, text) for css, text in login["fill"].items())
    steps += (Step("click", login["submit"]), Step("wait", login["expect"]))
    return Form(login["url"], Visit(steps=steps, wait_timeout=FORM_TIMEOUT), login.get("expired"))


def login_hooks(login: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """Return the hooks that the table ``login`` stands for, by step."""
    form = parse_login(login)
    page = Page(form.url)

    def before_all(browser: Any) -> None:
        browser.settle(page, browser.request(page), form.visit)

    def logged_out(page: Any) -> bool:
        return page.text(form.expired) is not None

    return {"before_all": before_all} | ({"logged_out": logged_out} if form.expired else {})
