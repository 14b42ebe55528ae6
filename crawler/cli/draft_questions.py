"""The questions of `generate`: about the pages of a site, the fields of its items, and limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..definition.selectors.rules import css_problem
from ..drafts.draft import Draft, Wait, joined, name_problem
from ..drafts.guesses import guesses
from ..drafts.page_kinds import Details, details_of, find_link, guess_details, pattern_of
from ..drafts.pages import LATE_MAX, QUIET, Loaded, Pages
from ..drafts.proposals import NothingFound, Proposal, Sample, proposals
from ..drafts.waits import may_change, wait_of, wait_text
from ..errors import PageError
from ..model import Json
from ..urls.scope import REASONS
from .click_errors import Mistake
from .draft_limits import ask_limits
from .draft_prompt import Prompt, say, short, shown

#: Ends the name of a field that has all that is like its example.
ALL = "[]"
#: Helps where a text was not on the page in time.
LATE = f"nor {LATE_MAX:g} s after it was loaded; if it comes later still: --wait-for CSS"


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


class Interview:
    """Completes a ``draft`` from answers about the pages of a site."""

    def __init__(self, draft: Draft, flags: Flags, prompt: Prompt, site: Pages) -> None:
        self.draft, self.flags, self.prompt, self.site = draft, flags, prompt, site
        #: Pages that are looked at again, of which that was said.
        self._watched: set[str] = set()

    def hold(self, url: str) -> None:
        """Ask about the page at ``url``, and those that it leads to. Raises Mistake if an option
        means nothing there, PageError if a page does not come.
        """
        loaded = self._open(url)
        if self.draft.url != url:
            self._enter_by(self._open(self.draft.url), loaded)
        else:
            loaded = self._lists(loaded)
        page = self._each(loaded.page)
        others = self._others(loaded)
        self._fields(page, [one.page for one in others], grows=loaded.grows)
        self._note_lateness([loaded, *others])
        self.draft.example = loaded.page.url
        self.draft.values = self._values(page)
        ask_limits(self.draft, self.prompt, self._warn_of_filter)

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
        self._warn("items", self.draft.details)
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
            answer = self.prompt.until(question, "", self._link_problem(loaded.page))
        if not answer:
            return loaded
        page, link = self._link("--detail", loaded, answer)
        details = self.draft.details = details_of(page.document, *link)
        links = "1 link" if len(details.urls) == 1 else f"{len(details.urls)} links"
        say(f"  {links} ({details.selector or 'by their URLs'}), of the pattern {details.pattern}")
        if details.strangers:
            say(f"  the pattern also takes {details.strangers[0]}: perhaps deny it")
        self._await_links(details, loaded.page, page)
        self._warn("items", details)
        self._pager(loaded)
        return self._open(url_of(page, link[0]))

    def _pager(self, loaded: Loaded) -> None:
        """Ask for the links of a list to further ones."""
        answer = self.flags.pager
        if answer is None:
            question = "A link to the next list: URL, text or CSS path (Enter: follow all links)"
            answer = self.prompt.until(question, "", self._link_problem(loaded.page))
        if not answer:
            return
        page, link = self._link("--next", loaded, answer)
        details = self.draft.details
        pager = details_of(page.document, *link)
        if details is None or not (details.selector and pager.selector):
            raise Mistake("--next: no CSS path finds the links of this list; leave it out")
        self.draft.pager = pager
        self.draft.lists = pattern_of([page.url], alone=True)
        self._await_links(pager, loaded.page, page)
        self._warn("further lists", pager)

    def _link(self, option: str, loaded: Loaded, answer: str) -> tuple[Sample, tuple[Any, str]]:
        """Return the link that ``answer`` means, and the page that has it, perhaps later. Raises
        Mistake if there is none.
        """
        problem = self._link_problem(loaded.page)(answer)
        page = self._page_with(loaded.page, has_link(answer))
        link = find_link(page.document, answer) if page else None
        if page is None or link is None:
            raise Mistake(f"{option}: {problem}")
        if loaded.early and find_link(loaded.early.document, answer) is None:
            self._be_quiet()
        return page, link

    def _link_problem(self, page: Sample) -> Callable[[str], str | None]:
        """Return what says why a text is no link of ``page``; None: it is, or is empty."""

        def problem(answer: str) -> str | None:
            if not answer or self._page_with(page, has_link(answer)):
                return None
            return f"{page.url} has no link with this URL or text, or in such a place: {answer!r}"

        return problem

    def _warn(self, what: str, links: Details | None, only: str = "") -> None:
        """Say which of the ``links`` to what is wanted the crawl would not follow, and why; or
        ``only`` for one reason.
        """
        if links is None:
            return
        for reason, url, number in self.draft.shut_out(links.urls):
            if only not in ("", reason):
                continue
            known = len(links.urls)
            every = "warning: " if number == known else ""
            own = links.pattern.removeprefix("^")
            more = f"; allow '{own}' would let them in" if reason == "allow" else ""
            say(
                f"  {every}{reason}: {number} of {known} links to {what} are left out"
                f" ({REASONS[reason]}), as {url}{more}"
            )

    def _warn_of_filter(self, name: str) -> None:
        """Say what the filter ``name`` shuts out of what was found."""
        self._warn("items", self.draft.details, name)
        self._warn("further lists", self.draft.pager, name)

    # What comes late

    def _page_with(self, page: Sample, has: Callable[[Sample], bool]) -> Sample | None:
        """Return ``page`` if ``has`` says yes to it, else as it is when it does; None: it never
        does.
        """
        if has(page):
            return page
        if not may_change(page):
            return None
        if page.url not in self._watched:
            self._watched.add(page.url)
            say(f"  not there yet: the page is looked at for up to {LATE_MAX:g} s")
        return self.site.later(page.url, has)

    def _await_links(self, links: Details, early: Sample, late: Sample) -> None:
        """Have lists wait for ``links`` that come late."""
        if late is early:
            return
        wait = wait_of(links.selector, "", early, late) if links.selector else None
        self.draft.lists = pattern_of([early.url], alone=True)
        self._await("these links", wait, self.draft.list_waits)

    def _await(self, what: str, wait: Wait | None, waits: list[Wait]) -> None:
        """Note the ``wait`` for ``what`` comes late among ``waits``, and say so."""
        if wait is None:
            say(f"  warning: {what} came late, and nothing tells when: --wait-for CSS")
            return
        say(f"  {what} came late: {wait_text(wait)}")
        if wait not in waits:
            waits.append(wait)

    def _be_quiet(self) -> None:
        if "wait_quiet" not in self.draft.options:
            self.draft.options["wait_quiet"] = QUIET
            say(f"  some of it comes late: wait_quiet = {QUIET:g}")

    def _each(self, page: Sample) -> Sample:
        """Ask for the items of a page; return the page when they are there."""

        def problem(answer: str) -> str | None:
            if not answer:
                return None
            if what := css_problem(answer):
                return what
            found = "::" not in answer and self._page_with(page, has_items(answer))
            return None if found else f"{answer!r} finds no element of {page.url}"

        each = self.flags.each
        if self.draft.details is None and each is None:
            question = "CSS path of one item, if a page has several (Enter: it has one)"
            each = self.prompt.until(question, "", problem)
        elif each and (what := problem(each)):
            raise Mistake(f"--each: {what}")
        if not each:
            return page
        self.draft.each = each
        late = self._page_with(page, has_items(each))
        if late and late is not page:
            self._await(each, wait_of(each, "", page, late), self.draft.waits)
        return late or page

    def _values(self, page: Sample) -> dict[str, Json]:
        """Return what the rules give on ``page``: where something comes late, after the waits for
        it, each of which is tried that way.
        """
        table, waits = self.draft.table, self.draft.waits
        if waits:
            options = self.draft.options
            quiet = {name: options[name] for name in ("wait_quiet",) if name in options}
            try:
                page = self.site.load(page.url, {**quiet, **joined(options, waits)}).page
            except PageError as error:
                say(f"  warning: with these waits, {error}")
        scopes = page.scopes(self.draft.each)
        found = {name: page.read(rule, scopes[0]) for name, rule in table.items() if scopes}
        if waits and (empty := [name for name in table if found.get(name) in (None, "", [])]):
            say(f"  warning: no value after these waits in {', '.join(empty)}: --wait-for CSS")
        return found

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

    def _fields(self, page: Sample, others: Sequence[Sample], *, grows: bool) -> None:
        table = self.draft.table
        for item in self.flags.items:
            label, _, answer = item.partition("=")
            try:
                at, found = self._proposals(page, answer, others, many=label.endswith(ALL))
            except NothingFound as error:
                raise Mistake(f"--field {label}: {error}") from None
            self._take(label.removesuffix(ALL), found[0], page, at, others)
        if table:
            return
        if not self.prompt.asks:
            if not self.draft.each:
                at = self._grown(page) if grows else page
                for name, guess in guesses(at).items():
                    late = page.read(guess.rule) != guess.value
                    self._take(name, guess, page, at if late else page, others)
            return
        while name := self.prompt.until(
            "Field, a name (Enter: no more)",
            "",
            lambda text: name_problem(text.removesuffix(ALL), table) if text else None,
        ):
            if chosen := self._choose(name, page, others):
                self._take(name.removesuffix(ALL), chosen[1], page, chosen[0], others)

    def _grown(self, page: Sample) -> Sample:
        """Return ``page`` as it is when it says more of itself, or as it is."""
        known = guesses(page).keys()
        return self._page_with(page, lambda late: bool(guesses(late).keys() - known)) or page

    def _choose(
        self, name: str, page: Sample, others: Sequence[Sample]
    ) -> tuple[Sample, Proposal] | None:
        """Ask for an example until a rule is chosen; None: for no more."""
        answer = ""
        while True:
            answer = answer or self.prompt.until("  an example of its text, or a CSS path", "")
            if not answer:
                return None
            try:
                at, found = self._proposals(page, answer, others, many=name.endswith(ALL))
            except NothingFound as error:
                say(f"  {error}")
                answer = ""
                continue
            for number, one in enumerate(found, 1):
                note = f"  ({one.note})" if one.note else ""
                say(f"  {number}  {one.text}  {shown(one.value)}{note}")
            answer = self.prompt.until("  which, or another text or CSS path", "1")
            if answer.isdecimal() and 0 < int(answer) <= len(found):
                return at, found[int(answer) - 1]

    def _proposals(
        self, page: Sample, answer: str, others: Sequence[Sample], *, many: bool
    ) -> tuple[Sample, list[Proposal]]:
        """Return what ``answer`` may mean, and the page that has it, perhaps later. Raises
        NothingFound.
        """
        each = self.draft.each
        try:
            return page, proposals(page, answer, many=many, each=each, others=others)
        except NothingFound as error:
            found: list[Proposal] = []

            def has(late: Sample) -> bool:
                try:
                    found[:] = proposals(late, answer, many=many, each=each)
                except NothingFound:
                    return False
                return True

            late = self._page_with(page, has)
            if late is None:
                note = f", {LATE}" if may_change(page) else ""
                raise NothingFound(f"{error}{note}") from None
            # those that can be awaited come first
            known = [wait_of(one.rule, each, page, late) is not None for one in found]
            order = sorted(range(len(found)), key=lambda at: not known[at])
            return late, [found[at] for at in order]

    def _take(
        self, name: str, chosen: Proposal, page: Sample, at: Sample, others: Sequence[Sample]
    ) -> None:
        """Note the rule for a field of ``page``, which is there ``at`` that moment."""
        draft = self.draft
        draft.table[name] = chosen.rule
        note = f"  ({chosen.note})" if chosen.note else ""
        say(f"  {name} = {chosen.text}  {shown(chosen.value)}{note}")
        if at is page:
            return
        self._await(name, wait_of(chosen.rule, draft.each, page, at), draft.waits)

        def has(other: Sample) -> bool:
            values = (other.read(chosen.rule, scope) for scope in other.scopes(draft.each))
            return any(value not in (None, "", []) for value in values)

        for other in others:
            if self._page_with(other, has) is None:
                say(f"  warning: {other.url} has no {name}, and would fail (wait_timeout)")

    def _note_lateness(self, pages: Sequence[Loaded]) -> None:
        """Have the crawl wait until a page is quiet, if fields come by what it loads late."""
        rules = self.draft.table.values()
        for one in pages:
            early = one.early
            if early and any(early.read(rule) != one.page.read(rule) for rule in rules):
                self._be_quiet()
                return


def url_of(page: Sample, link: Any) -> str:
    """Return the absolute URL that ``link`` leads to."""
    from ..definition.selectors.rendered import resolved

    return resolved(page.document.base_of(link), str(link.get("href"))).partition("#")[0]


def has_link(answer: str) -> Callable[[Sample], bool]:
    """Return what says whether a page has the link that ``answer`` means."""
    return lambda page: find_link(page.document, answer) is not None


def has_items(each: str) -> Callable[[Sample], bool]:
    """Return what says whether a page has something that the selector ``each`` finds."""
    return lambda page: bool(page.scopes(each))
