"""``shell``: a Python prompt on a rendered page."""

from __future__ import annotations

import ast
import code as prompts
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..config import environment
from ..config import settings as configuration
from ..definition.crawl import Crawl
from ..definition.loading import load
from ..local.private_files import write_private
from ..output.saved_page import SavedPage
from ..redaction import masked
from ..text.printable import printable
from .click_errors import HookMistake, Mistake, first_line
from .field_options import LOADING, FieldCommand, changes_of, field_options, set_option
from .one_page import saved_chrome, saved_page_of, trial_chrome_and_permits
from .parameters import CRAWL_REFERENCE
from .terminal import echo

if TYPE_CHECKING:
    from ..run.page_prompt import PagePrompt

#: The names that code has, and what each is.
NAMES = {
    "page": "the live page, as hooks get it",
    "css, xpath": "css('.price'), xpath('//h1'): what a table's selector gives, a list",
    "links": "the links of the page",
    "responses": "responses('*/api/*'): what it loaded",
    "crawl": "the definition",
    "follow": "follow(url) goes on: the names are of that page then",
}
VIEW = "view() opens a picture of the page"
#: The name that errors give the code of -c.
CODE_NAME = "-c"


@click.command(cls=FieldCommand)
@click.argument("crawl", metavar="URL|CRAWL|DIR", type=CRAWL_REFERENCE)
@click.argument("page", metavar="[URL|DIR]", required=False)
@click.option("-c", "code", metavar="CODE", help="Run code, and print its last expression's value.")
@set_option()
@field_options("robots", *LOADING)
def shell(
    crawl: str, page: str | None, code: str | None, changes: tuple[str, ...], **fields: Any
) -> None:
    """Open a Python prompt on a page of CRAWL, as Chrome has rendered it.

    DIR is a page that `crawler run --save` has saved, which needs no network. The prompt is
    IPython's, where that is installed.
    """
    is_url = bool(page) and str(page).startswith(("http://", "https://"))
    reference, saved = saved_page_of(crawl, None if is_url else page)
    changes = (*changes, *changes_of(fields))
    if saved and is_url:
        raise Mistake(f"{crawl} is a saved page, and leads nowhere: no URL after it")
    if saved and page is None:
        reference, changes = saved.crawl, (*saved.changes, *changes)
    definition = load(reference, changes, configuration.load().crawls)
    definition.validate()
    tree = None if code is None else parsed(code)
    with prompt_on(definition, page if is_url else None, saved) as prompt:
        if tree is not None:
            run_code(tree, str(code), prompt)
        else:
            prompt_for(prompt)


@contextmanager
def prompt_on(crawl: Crawl, url: str | None, saved: SavedPage | None) -> Iterator[PagePrompt]:
    """Give the prompt on a page; end its Chrome."""
    from ..run.page_prompt import prompt_at  # with Selenium, which help does without
    from ..run.saved_run import SavedPermits, page_of_saved

    def note(line: str) -> None:
        echo(line, err=True)

    if saved:
        with saved_chrome() as offline:
            offline.saved = page_of_saved(crawl, saved)
            none, url = SavedPermits(crawl, saved), offline.saved.page.url
            with prompt_at(crawl, offline, none, note, url, offline.saved) as prompt:
                yield prompt
        return
    with (
        trial_chrome_and_permits(crawl) as (chrome, permits),
        prompt_at(crawl, chrome, permits, note, url) as prompt,
    ):
        yield prompt


def parsed(code: str) -> ast.Module:
    """Return the code of -c. Raises HookMistake: it is none."""
    try:
        return ast.parse(code, CODE_NAME)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None) or 1
        what = getattr(error, "msg", None) or str(error)
        raise code_mistake(f"{type(error).__name__}: {what}", line, code, "") from None


def run_code(tree: ast.Module, text: str, prompt: PagePrompt) -> None:
    """Run the code of -c, whose ``text`` was parsed, and print the value of its last expression: a
    text as it is.

    Raises:
        HookMistake: it raised; three lines.
    """
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value = None
    try:
        exec(compile(tree, CODE_NAME, "exec"), prompt.names)  # noqa: S102
        if last is not None:
            value = eval(  # noqa: S307
                compile(ast.Expression(last.value), CODE_NAME, "eval"),  # type: ignore[attr-defined]
                prompt.names,
            )
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((one.lineno for one in reversed(frames) if one.filename == CODE_NAME), 1)
        what = f"{type(error).__name__}: {first_line(error)}".removesuffix(": ")
        raise code_mistake(what, line or 1, text, prompt.url) from error
    if value is not None:
        echo(value if isinstance(value, str) else repr(value), data=True)


def code_mistake(what: str, line: int, code: str, url: str) -> HookMistake:
    """Return an error of the code of -c: what, which line, and on which page."""
    lines = code.splitlines()
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    where = f"at {url}" if url else "before any page was loaded"
    text = "\n  ".join([what, f"in the code of -c, line {line}: {shown}", where])
    return HookMistake(printable(masked(text), keep="\n"))


def prompt_for(prompt: PagePrompt) -> None:
    """Show what there is, and take code from the terminal until its end (Ctrl-D)."""
    names = prompt.names
    lines = [f"{masked(prompt.page.url)}" if prompt.page else "no page"]
    shown = dict(NAMES)
    if environment.has_display():
        names["view"] = viewer(prompt)
        shown["view"] = VIEW
    width = max(map(len, shown))
    lines += [f"  {name:<{width}}  {what}" for name, what in shown.items()]
    lines.append("Ctrl-D ends it.")
    echo("\n".join(lines), err=True)
    if find_spec("IPython"):
        with_ipython(names)
    else:
        with_python(names)


def with_ipython(names: dict[str, Any]) -> None:
    """Take code by IPython."""
    from IPython import start_ipython  # type: ignore[import-not-found]

    start_ipython(argv=["--no-banner"], user_ns=names)


def with_python(names: dict[str, Any]) -> None:
    """Take code by Python's own prompt, which completes names."""
    try:
        import readline
        import rlcompleter
    except ImportError:  # a Python without it
        pass
    else:
        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    try:
        prompts.InteractiveConsole(names).interact(banner="", exitmsg="")
    except SystemExit:  # exit() and quit()
        return


def viewer(prompt: PagePrompt) -> Callable[[], None]:
    """Return a function that opens a picture of the page in whatever shows pictures here."""

    def view() -> None:
        """Open a picture of the page."""
        if prompt.page is None:
            raise LookupError("there is no page")
        path = Path(tempfile.mkdtemp(prefix="crawler-")) / "page.png"
        write_private(path, prompt.page.screenshot(whole=True))
        click.launch(str(path))

    return view
