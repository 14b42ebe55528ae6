"""The questions of `generate`: about the pages of a site, the fields of its items, and limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from ..definition.crawl import Crawl
from ..definition.selectors.rules import css_problem
from ..drafts.draft import Draft, name_problem
from ..drafts.guesses import guesses
from ..drafts.page_kinds import Details, details_of, find_link, guess_details, pattern_of
from ..drafts.pages import QUIET, Loaded, Pages
from ..drafts.proposals import NothingFound, Proposal, Sample, proposals
from ..errors import DefinitionError, PageError
from ..model import Json
from .click_errors import Mistake
from .terminal import echo

#: Ends the name of a field that has all that is like its example.
ALL = "[]"
#: Helps where a text is not on the page yet.
LATE = "if it comes late: --wait-for CSS"
#: Characters of a value that are shown.
SHOWN_MAX = 50
#: Limits that are asked for, and what is asked.
LIMITS = {
    "depth_limit": "Links from the entry page at most (or none)",
    "page_limit": "Pages at most (or none)",
    "delay": "Seconds between two pages of a host",
}
FILTERS = {
    "allow": "Only URLs in which is found (a regular expression; Enter: all of the site)",
    "deny": "No URLs in which is found (a regular expression; Enter: none)",
}


@dataclass
class Flags:
    """What options answer; None, or nothing: no option does."""

    entry: str | None = None
    detail: str | None = None
    pager: str | None = None
    each: str | None = None
    also: str | None = None
    items: Sequence[str] = ()

    def check(self) -> None:
        """Raise Mistake where options exclude each other."""
        if self.detail and self.each:
            raise Mistake("--detail and --each exclude each other: say where the items are")
        if self.detail and self.entry:
            raise Mistake("--detail is a link of URL, where the crawl starts: leave --entry out")
        if self.pager and not (self.detail or self.entry):
            raise Mistake("--next is for lists that lead to items: it needs --detail")
        labels: dict[str, str] = {}
        for item in self.items:
            label, equals, answer = item.partition("=")
            if not equals or not answer.strip():
                raise Mistake(f"--field {item!r}: LABEL=TEXT, for example: --field title=h1")
            if problem := name_problem(label.removesuffix(ALL), labels):
                raise Mistake(f"--field: {problem}")
            labels[label.removesuffix(ALL)] = answer
        if self.each and (problem := css_problem(self.each)):
            raise Mistake(f"--each: {problem}")


class Prompt:
    """Asks on the terminal; or nothing, where the defaults answer."""

    def __init__(self, *, asks: bool) -> None:
        self.asks = asks

    def until(
        self, question: str, default: str, problem: Callable[[str], str | None] = lambda _: None
    ) -> str:
        """Return an answer that has no ``problem``; Enter is the ``default``. Raises click.Abort if
        there is no answer.
        """
        if not self.asks:
            return default
        while True:
            shown = bool(default)
            answer = str(click.prompt(question, default, show_default=shown, err=True)).strip()
            if (what := problem(answer)) is None:
                return answer
            say(f"  {what}")


class Interview:
    """Completes a ``draft`` from answers about the pages of a site."""

    def __init__(self, draft: Draft, flags: Flags, prompt: Prompt, site: Pages) -> None:
        self.draft, self.flags, self.prompt, self.site = draft, flags, prompt, site

    def hold(self, url: str) -> None:
        """Ask about the page at ``url``, and those that it leads to. Raises Mistake if an option
        means nothing there, PageError if a page does not come.
        """
        loaded = self._open(url)
        if self.draft.url != url:
            self._enter_by(self._open(self.draft.url), loaded)
        else:
            loaded = self._lists(loaded)
        if self.draft.details is None and self.flags.each is None:
            answer = "CSS path of one item, if a page has several (Enter: it has one)"
            self.draft.each = self.prompt.until(answer, "", partial_each(loaded.page))
        elif self.flags.each:
            self.draft.each = self.flags.each
            if problem := partial_each(loaded.page)(self.flags.each):
                raise Mistake(f"--each: {problem}")
        others = self._others(loaded)
        self._fields(loaded.page, [one.page for one in others])
        self._note_lateness([loaded, *others])
        self.draft.example = loaded.page.url
        scope = loaded.page.scopes(self.draft.each)[0]
        self.draft.values = {
            name: loaded.page.read(rule, scope) for name, rule in self.draft.table.items()
        }
        self._limits()

    def _open(self, url: str) -> Loaded:
        loaded = self.site.load(url)
        say(f"{loaded.page.url}  {short(loaded.title)}")
        return loaded

    def _enter_by(self, entry: Loaded, loaded: Loaded) -> None:
        """Note that the items are on pages like ``loaded``, to which ``entry`` leads."""
        page = entry.page
        found = find_link(page.document, loaded.page.url)
        if found is None:
            self.draft.details = Details("", (loaded.page.url,), pattern_of([loaded.page.url]))
        else:
            self.draft.details = details_of(page.document, *found)
        self._pager(entry)

    def _lists(self, loaded: Loaded) -> Loaded:
        """Ask whether the page is a list; return the page that has the items."""
        document = loaded.page.document
        answer = self.flags.detail
        if answer is None and self.flags.each is None:
            guess = guess_details(document)
            if guess is not None and self.prompt.asks:
                found = details_of(document, guess)
                say(f"  it has {len(found.urls)} links like {found.urls[0]}")
            question = "Is it a list? A link to an item: URL, text or CSS path (Enter: it is none)"
            answer = self.prompt.until(question, "", partial_link(loaded.page))
        if not answer:
            return loaded
        link = find_link(document, answer)
        if link is None:
            raise Mistake(f"--detail: {partial_link(loaded.page)(answer)}")
        details = self.draft.details = details_of(document, *link)
        say(
            f"  {len(details.urls)} links ({details.selector or 'by their URLs'}),"
            f" of the pattern {details.pattern}"
        )
        if details.strangers:
            say(f"  the pattern also takes {details.strangers[0]}: perhaps deny it")
        self._pager(loaded)
        return self._open(url_of(loaded.page, link[0]))

    def _pager(self, loaded: Loaded) -> None:
        """Ask for the links of a list to further ones."""
        page, answer = loaded.page, self.flags.pager
        if answer is None:
            question = "A link to the next list: URL, text or CSS path (Enter: follow all links)"
            answer = self.prompt.until(question, "", partial_link(page))
        if not answer:
            return
        link = find_link(page.document, answer)
        if link is None:
            raise Mistake(f"--next: {partial_link(page)(answer)}")
        details = self.draft.details
        pager = details_of(page.document, *link)
        if details is None or not (details.selector and pager.selector):
            raise Mistake("--next: no CSS path finds the links of this list; leave it out")
        self.draft.pager = pager
        self.draft.lists = pattern_of([page.url], alone=True)

    def _others(self, loaded: Loaded) -> list[Loaded]:
        """Return a further page of the kind, if one is known."""
        details, own = self.draft.details, loaded.page.url
        urls = [self.flags.also] if self.flags.also else []
        if not urls and details:
            urls = [url for url in details.urls if url != own][:1]
        found = []
        for url in urls:
            try:
                found.append(self._open(url))
            except PageError as error:
                if self.flags.also:
                    raise
                say(f"  {error}: selectors are not tried there")
        return found

    # Fields

    def _fields(self, page: Sample, others: Sequence[Sample]) -> None:
        table = self.draft.table
        for item in self.flags.items:
            label, _, answer = item.partition("=")
            try:
                best = self._proposals(page, answer, others, many=label.endswith(ALL))[0]
            except NothingFound as error:
                raise Mistake(f"--field {label}: {error} ({LATE})") from None
            self._take(label.removesuffix(ALL), best)
        if table:
            return
        if not self.prompt.asks:
            if not self.draft.each:
                for name, guess in guesses(page).items():
                    self._take(name, guess)
            return
        while name := self.prompt.until(
            "Field, a name (Enter: no more)",
            "",
            lambda text: name_problem(text.removesuffix(ALL), table) if text else None,
        ):
            if chosen := self._choose(name, page, others):
                self._take(name.removesuffix(ALL), chosen)

    def _choose(self, name: str, page: Sample, others: Sequence[Sample]) -> Proposal | None:
        """Ask for an example until a rule is chosen; None: for no more."""
        answer = ""
        while True:
            answer = answer or self.prompt.until("  an example of its text, or a CSS path", "")
            if not answer:
                return None
            try:
                found = self._proposals(page, answer, others, many=name.endswith(ALL))
            except NothingFound as error:
                say(f"  {error}")
                answer = ""
                continue
            for number, one in enumerate(found, 1):
                note = f"  ({one.note})" if one.note else ""
                say(f"  {number}  {one.text}  {shown(one.value)}{note}")
            answer = self.prompt.until("  which, or another text or CSS path", "1")
            if answer.isdecimal() and 0 < int(answer) <= len(found):
                return found[int(answer) - 1]

    def _proposals(
        self, page: Sample, answer: str, others: Sequence[Sample], *, many: bool
    ) -> list[Proposal]:
        return proposals(page, answer, many=many, each=self.draft.each, others=others)

    def _take(self, name: str, chosen: Proposal) -> None:
        self.draft.table[name] = chosen.rule
        note = f"  ({chosen.note})" if chosen.note else ""
        say(f"  {name} = {chosen.text}  {shown(chosen.value)}{note}")

    def _note_lateness(self, pages: Sequence[Loaded]) -> None:
        """Have the crawl wait where its fields, or the links to their pages, come late."""
        rules = self.draft.table.values()
        for one in pages:
            early = one.early
            if early and any(early.read(rule) != one.page.read(rule) for rule in rules):
                self.draft.options["wait_quiet"] = QUIET
                say(f"  some of it comes late: wait_quiet = {QUIET:g}")
                return

    # Limits

    def _limits(self) -> None:
        """Ask for the limits and filters that no option gives."""
        options = self.draft.options
        usual = {"depth_limit": None if self.draft.pager else 3, "page_limit": None, "delay": 0}
        for name, question in LIMITS.items():
            if name in options:
                continue
            default = "none" if usual[name] is None else str(usual[name])
            answer = self.prompt.until(question, default, partial_field(name))
            if answer != default or name == "depth_limit":
                options[name] = value_of(name, answer)
        for name, question in FILTERS.items():
            patterns: list[str] = []
            while name not in options and self.prompt.asks:
                answer = self.prompt.until(question, "", partial_field(name))
                if not answer:
                    break
                patterns.append(answer)
            if patterns:
                options[name] = patterns


def url_of(page: Sample, link: Any) -> str:
    """Return the absolute URL that ``link`` leads to."""
    from ..definition.selectors.rendered import resolved

    return resolved(page.document.base_of(link), str(link.get("href"))).partition("#")[0]


def partial_link(page: Sample) -> Callable[[str], str | None]:
    """Return what says why a text is no link of ``page``; None: it is, or is empty."""

    def problem(answer: str) -> str | None:
        if not answer or find_link(page.document, answer) is not None:
            return None
        return f"{page.url} has no link with this URL or text, or in such a place: {answer!r}"

    return problem


def partial_each(page: Sample) -> Callable[[str], str | None]:
    """Return what says why a text finds no items on ``page``; None: it does, or is empty."""

    def problem(answer: str) -> str | None:
        if not answer:
            return None
        if what := css_problem(answer):
            return what
        found = "::" not in answer and page.scopes(answer)
        return None if found else f"{answer!r} finds no element of {page.url}"

    return problem


def partial_field(name: str) -> Callable[[str], str | None]:
    """Return what says why a text is no value of a crawl's field; None: it is, or is empty."""

    def problem(text: str) -> str | None:
        if not text:
            return None if name in FILTERS else "a number, or none"
        try:
            value = value_of(name, text)
            Crawl(name="a", url="https://a.example/", **{name: value}).validate()
        except ValueError:
            return f"{text!r} is no number"
        except DefinitionError as error:
            return str(error.faults[0])
        return None

    return problem


def value_of(name: str, text: str) -> Any:
    """Return the value that ``text`` is for the field ``name``. Raises ValueError."""
    if name in FILTERS:
        return [text]
    if text == "none":
        return None
    return float(text) if name == "delay" else int(text)


def short(text: str) -> str:
    """Return a text as it is shown: its beginning."""
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def shown(value: Json) -> str:
    """Return a value of a page as it is shown."""
    if isinstance(value, list):
        return short(f"{len(value)}: {', '.join(map(str, value))}")
    return short(str(value))


def say(text: str) -> None:
    """Print a line beside the answers."""
    echo(text, err=True)
