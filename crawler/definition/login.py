"""A log-in declared as data: the form, what to fill in, and how to tell that it went well, or has
expired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..model import Page
from .steps import Step, Visit

#: What a declared log-in has: ``fill`` is a table of selectors and texts, the others are texts.
REQUIRED = ("url", "fill", "submit", "expect")
OPTIONAL = ("expired",)
#: Seconds in which each field, and what is expected, must be there.
FORM_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class Form:
    """Where the form is, the ``visit`` that fills it in, and the selector of what only those see
    who are logged out (or None).
    """

    url: str
    visit: Visit
    expired: str | None


def login_faults(login: Any) -> list[str]:
    """What is wrong with ``login`` as an author wrote it; no text that is to be filled in is
    repeated.
    """
    if not isinstance(login, Mapping):
        return ["is no table"]
    found = [f"has no {name!r}" for name in REQUIRED if name not in login]
    known = ", ".join(REQUIRED + OPTIONAL)
    found += [
        f"has {name!r}, which is none of {known}"
        for name in login
        if name not in REQUIRED + OPTIONAL
    ]
    fill = login.get("fill", {"": ""})
    if (
        not isinstance(fill, Mapping)
        or not fill
        or not all(isinstance(part, str) for pair in fill.items() for part in pair)
    ):
        found.append("fill: is no table of selectors and texts")
    found += [
        f"{name}: is no text"
        for name in (*REQUIRED, *OPTIONAL)
        if name != "fill"
        and name in login
        and not (isinstance(login[name], str) and login[name].strip())
    ]
    return found


def parse_login(login: Mapping[str, Any]) -> Form:
    """The form that an author's table means; :func:`login_faults` found nothing wrong with it."""
    steps = tuple(Step("fill", css, text) for css, text in login["fill"].items())
    steps += (Step("click", login["submit"]), Step("wait", login["expect"]))
    return Form(login["url"], Visit(steps=steps, wait_timeout=FORM_TIMEOUT), login.get("expired"))


def login_hooks(login: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """The hooks that the table ``login`` stands for."""
    form = parse_login(login)
    page = Page(form.url)

    def before_all(browser: Any) -> None:
        browser.settle(page, browser.request(page), form.visit)

    def logged_out(page: Any) -> bool:
        return page.text(form.expired) is not None

    return {"before_all": before_all} | ({"logged_out": logged_out} if form.expired else {})
