"""``generate``: a definition of a crawl, drafted by questions about pages of its site."""

from __future__ import annotations

import shlex
import sys
from typing import Any

import click

from ..definition.crawl import Crawl
from ..definition.loading import load
from ..drafts.draft import Draft
from ..model import is_crawl_name
from ..output.report import ExitStatus
from .click_errors import Mistake
from .draft_file import STDOUT, DraftFile
from .draft_prompt import Prompt, say
from .draft_questions import Flags, Interview
from .field_options import FieldCommand, changes_of, field_options, set_option

#: Fields that are drafted, and therefore no options.
DRAFTED = ("extract", "routes", "examples")


@click.command(cls=FieldCommand)
@click.argument("url", metavar="URL")
@click.option("--name", help="The name of the crawl.")
@click.option("--entry", metavar="URL", help="Where it starts, if not at URL.")
@click.option(
    "--detail",
    metavar="LINK",
    help=(
        "URL is a list: one of its links to the pages that have the items, by its URL, its text or"
        " a CSS path."
    ),
)
@click.option("--next", "pager", metavar="LINK", help="A link of the list to further ones.")
@click.option("--each", metavar="CSS", help="A page has several items: what finds each.")
@click.option(
    "--field",
    "items",
    multiple=True,
    metavar="LABEL=TEXT",
    help=(
        "A field of the items: an example of its text on the page, or a selector; LABEL[]=TEXT: all"
        " that are like it. May be repeated."
    ),
)
@click.option("--also", metavar="URL", help="A further page of the kind, to try selectors on.")
@click.option("-o", "--output", metavar="FILE", help="The file, .toml or .py; - prints it.")
@click.option("--python", is_flag=True, help="Write Python instead of TOML.")
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing; what no option says is guessed.")
@set_option("A value for any other field of the crawl, as in TOML.")
@field_options()
def generate(
    url: str,
    name: str | None,
    entry: str | None,
    detail: str | None,
    pager: str | None,
    each: str | None,
    items: tuple[str, ...],
    also: str | None,
    output: str | None,
    python: bool,
    force: bool,
    yes: bool,
    changes: tuple[str, ...],
    **fields: Any,
) -> None:
    """Write a definition of a crawl, by questions about the page at URL.

    Selectors come from examples of texts, and each is tried on the page, as Chrome shows it. Every
    question has an option.
    """
    if not yes and not sys.stdin.isatty():
        raise Mistake(
            "standard input is no terminal, so nobody can be asked: --yes asks nothing, and each"
            " question has an option (crawler generate --help)"
        )
    flags = Flags(entry, detail, pager, each, also, items)
    flags.check()
    draft, crawl = drafted(url, name, entry, (*changes, *changes_of(fields)))
    prompt = Prompt(asks=not yes)
    usual = (
        f"{draft.name.replace('.', '_') if python else draft.name}{'.py' if python else '.toml'}"
    )
    file = DraftFile.named(output or usual, python=python, force=force)
    if output or yes:
        file.check()
    try:
        if name is None:
            draft.name = prompt.until("Name of the crawl", draft.name, name_problem)
        if entry is None and detail is None and each is None:
            draft.url = prompt.until("It starts at", url, url_problem)
        from .site_pages import site_pages  # brings Selenium, and all that a page's run needs

        with site_pages(crawl) as pages:
            Interview(draft, flags, prompt, pages).hold(url)
        draft.check()
        if output is None:
            file = asked_file(prompt, file, draft.name, python=python, force=force)
    except (click.Abort, KeyboardInterrupt):
        say("\ninterrupted: nothing was written")
        sys.exit(ExitStatus.INTERRUPTED)
    file.write(draft.fields, f"The crawl {draft.name}, as `crawler generate` wrote it.")
    if file.path is not None:
        path = shlex.quote(str(file.path))
        at = f" --url {shlex.quote(draft.example)}" if draft.example != draft.url else ""
        say(f"wrote {path}. Try it: crawler run {path}{at}; crawl: crawler start {path}")


def drafted(
    url: str, name: str | None, entry: str | None, changes: tuple[str, ...]
) -> tuple[Draft, Crawl]:
    """Return the draft of a crawl of which only this is known, and a crawl to load its pages with.

    Raises:
        Mistake: something is no URL of a page.
        DefinitionError: another value is wrong.
    """
    for one in filter(None, (url, entry)):
        if problem := url_problem(one):
            raise Mistake(problem)
    if name is not None and (problem := name_problem(name)):
        raise Mistake(f"--name: {problem}")
    crawl = load(entry or url, changes)
    if refused := [field for field in DRAFTED if field in crawl.raw]:
        raise Mistake(f"--set: {', '.join(refused)} is what is drafted; add it to the file")
    crawl = crawl.replace(name=name or str(crawl.raw["name"]))
    crawl.validate()
    options = {key: value for key, value in crawl.raw.items() if key not in ("name", "url")}
    return Draft(str(crawl.raw["name"]), entry or url, options), crawl


def url_problem(url: str) -> str | None:
    """Return why ``url`` is no URL of a page; None: it may be one."""
    if url.lower().startswith(("http://", "https://")):
        return None
    hint = f"; did you mean https://{url}?" if "." in url and "://" not in url else ""
    return f"{url!r} is no URL of a page, http://… or https://…{hint}"


def name_problem(name: str) -> str | None:
    """Return why a crawl cannot have this name; None: it can."""
    if is_crawl_name(name):
        return None
    return f"{name!r} may hold letters, digits, dots, dashes and underscores, 1 to 64 of them"


def asked_file(
    prompt: Prompt, usual: DraftFile, name: str, *, python: bool, force: bool
) -> DraftFile:
    """Ask for the file, until one can be written; return it."""

    def problem(answer: str) -> str | None:
        try:
            DraftFile.named(answer, python=python, force=force).check()
        except Mistake as mistake:
            return mistake.message
        return None

    ending = usual.ending
    default = f"{name.replace('.', '_') if ending == '.py' else name}{ending}"
    answer = prompt.until(f"File, .toml or .py ({STDOUT} prints it)", default, problem)
    return DraftFile.named(answer, python=python, force=force)
