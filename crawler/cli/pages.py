"""``failed``, ``retry``, ``enqueue``: commands about single pages of a crawl."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain

import click

from ..client.client import Client
from ..client.crawl_handle import CrawlHandle
from ..client.seed_sources import urls_of_file, urls_of_lines, urls_of_sitemaps
from ..config import settings as configuration
from ..definition.crawl import Crawl
from ..definition.loading import load
from ..errors import UnknownCrawl
from ..frontier.entries import FailedPage
from ..frontier.kinds import kind_of
from ..frontier.operations import Operations
from ..local.processes import user_of
from ..model import Json, Priority, short_id
from ..output.error_files import folders_of, kept_of_pages
from ..output.failure_reasons import meaning
from ..redaction import masked, masked_form
from ..secret_refs import SECRET_PREFIX
from .click_errors import Mistake
from .common import find_crawl, open_client, standing
from .parameters import CRAWL_NAME
from .terminal import echo

#: Kinds of failure whose meaning is shown after a list.
KINDS_SHOWN = 8


@click.command()
@click.argument("name", type=CRAWL_NAME)
@click.option("--reason", help="Only those that failed for this reason.")
@click.option("--after", is_flag=True, help="Instead: results and failures that no hook took.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object per line.")
def failed(name: str, reason: str | None, after: bool, as_json: bool) -> None:
    """List the pages of NAME that failed for good, its dead letters."""
    if after and reason:
        raise Mistake("--after has no --reason: it lists all that no hook took")
    with open_client() as client:
        crawl, snapshot = find_crawl(client, name)
        if after:
            list_undelivered(crawl, as_json)
            return
        settings = client.settings
        folders = folders_of(settings.state_dir, crawl.name, settings.errors_dir)
        kept = kept_of_pages(folders)
        count, kinds = 0, dict[str, None]()
        for letter in crawl.failed(reason):
            count += 1
            kinds[kind_of(letter.failure, letter.reason)] = None
            paths = kept.get(letter.page.id, {})
            if as_json:
                echo(json.dumps(record(letter, paths), ensure_ascii=False))
                continue
            echo(line(letter))
            for path in paths.values():
                echo(f"  shown    {path}")
        if not as_json:
            hint = f"; to try them again: crawler retry {name} " + (
                f"--reason {shlex.quote(reason)}" if reason else "--all"
            )
            echo(
                f"{count} of {snapshot.accepted} pages"
                f" failed{f' ({reason})' if reason else ''}{hint if count else ''}",
                err=True,
            )
            for kind in list(kinds)[:KINDS_SHOWN]:
                if found := meaning(kind):
                    mend = f": {found.mend.format(kind)}" if found.mend else ""
                    echo(f"  {kind}: {found.text}{mend}".replace("NAME", name), err=True)


def list_undelivered(crawl: CrawlHandle, as_json: bool) -> None:
    """Print the results and failures that no hook took."""
    count = 0
    for letter in crawl.undelivered():
        count += 1
        if as_json:
            echo(json.dumps(letter.record(), ensure_ascii=False))
        else:
            delivery = letter.delivery
            url = delivery.page.url if delivery.page else "(the crawl's end)"
            echo(f"{delivery.hook:<9} attempts {delivery.attempts}  {letter.reason}  {url}")
    if not as_json:
        hint = f"; to call the hooks again: crawler retry {crawl.name} --after" if count else ""
        echo(f"{count} not delivered{hint}", err=True)


def record(letter: FailedPage, paths: Mapping[str, str]) -> dict[str, Json]:
    """Return a dead letter as JSON, with the class of its failure, its time, its page's id, and the
    ``paths`` of its error snapshot, if there is one.
    """
    return letter.record() | {
        "class": letter.failure.value,
        "at": datetime.fromtimestamp(letter.at, UTC).isoformat(timespec="seconds"),
        "id": short_id(letter.page.id),
        **({"picture": paths["png"]} if "png" in paths else {}),
        **({"html": paths["html"]} if "html" in paths else {}),
    }


def line(letter: FailedPage) -> str:
    """Return a dead letter for people."""
    status = f"status {letter.status}" if letter.status else letter.failure.value
    url = masked(letter.page.url)
    # its URL would not do for a retry
    form = letter.page.form is not None
    name = f"  (id {short_id(letter.page.id)})" if form or url != letter.page.url else ""
    if letter.page.form is not None:
        name = f"  form {json.dumps(masked_form(letter.page.form), ensure_ascii=False)}{name}"
    return (
        f"{letter.reason:<20} {status:<10}  attempts {letter.page.attempt}  depth"
        f" {letter.page.depth}  {url}{name}"
    )


@click.command()
@click.argument("name", type=CRAWL_NAME)
@click.argument("urls", nargs=-1, metavar="[URL|ID]...")
@click.option("--reason", help="Those that failed for this reason.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--after", is_flag=True, help="Instead: call the hooks that gave up again.")
def retry(
    name: str, urls: tuple[str, ...], reason: str | None, everything: bool, after: bool
) -> None:
    """Send failed pages of NAME back to its queue.

    They count as never tried. A crawl that has ended goes on. Forms that were sent are sent again
    only if they are named, or with --reason form_sent.
    """
    if after and (everything or urls or reason):
        raise Mistake("--after stands alone: it sends all that no hook took")
    if not after and everything == bool(urls or reason):
        raise Mistake("say which pages: URLs, --reason, or --all; or --after, for hooks")
    with open_client() as client:
        crawl, _ = find_crawl(client, name)
        operations = Operations(crawl.frontier)
        if after:
            sent = crawl.redeliver()
            operations.note(f"calls hooks again for {sent} results", user_of("crawler retry"))
            echo(f"{sent} sent to their hooks again, with the next tick")
            if sent:
                echo(standing(client, crawl.snapshot()))
            return
        sent = crawl.retry(urls or None, reason=reason)
        operations.note(f"tries {sent} failed pages again", user_of("crawler retry"))
        echo(f"{sent} pages sent back")
        if everything and (left := sum(letter.form_sent for letter in crawl.failed())):
            echo(f"{left} forms that were sent stay; to send them again: --reason form_sent")
        if sent < len(urls):
            raise Mistake(
                f"{len(urls) - sent} of the pages are not among the failed ones: crawler failed"
                f" {name}"
            )
        if sent:
            echo(standing(client, crawl.snapshot()))


@click.command()
@click.argument("name", type=CRAWL_NAME)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="FILE",
    help="URLs from a file, one per line; - is standard input.",
)
@click.option(
    "--sitemap",
    "sitemaps",
    multiple=True,
    metavar="URL",
    help="URLs from a sitemap; auto: those of robots.txt.",
)
@click.option(
    "--priority",
    "--band",
    "priority",
    type=click.Choice([priority.name.lower() for priority in Priority]),
    default="normal",
    show_default=True,
)
@click.option(
    "--depth",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="As so many links from the entry page.",
)
@click.option("--reopen", is_flag=True, help="Also if the crawl has ended: it goes on with them.")
@click.option(
    "--again", is_flag=True, help="Also those that it knows, if it is done with them: once more."
)
@click.option(
    "--crawl",
    "reference",
    help="The file or module of a crawl with code, if CRAWLER_CRAWLS does not name it.",
)
def enqueue(
    name: str,
    urls: tuple[str, ...],
    files: tuple[str, ...],
    sitemaps: tuple[str, ...],
    priority: str,
    depth: int,
    reopen: bool,
    again: bool,
    reference: str | None,
) -> None:
    """Feed URLs to the crawl NAME.

    Those that are in its scope are queued, if they are not known yet, or with --again.
    """
    if not (urls or files or sitemaps):
        raise Mistake("say which pages: URLs, --file or --sitemap")
    with open_client() as client:
        handle, snapshot = find_crawl(client, name)
        if snapshot.status.ended and not reopen:
            raise Mistake(
                f"{name} has ended ({snapshot.status.value.lower()}); to let it go on with these"
                " pages, add --reopen"
            )
        crawl = find_definition(client, name, reference)
        secrets = configuration.secrets(SECRET_PREFIX)
        private = handle.frontier.private_entries()
        listed = urls_of_sitemaps(crawl, sitemaps, private, secrets=secrets)
        fed = client.enqueue(
            crawl,
            chain(urls, urls_of(files), listed),
            priority=Priority[priority.upper()],
            depth=depth,
            reopen=reopen,
            again=again,
            progress=lambda text: echo(text, err=True),
        )
        Operations(handle.frontier).note(f"has {fed}", user_of("crawler enqueue"))
        echo(f"{name}: {fed}")
        echo(standing(client, handle.snapshot()))


def find_definition(client: Client, name: str, reference: str | None) -> Crawl:
    """Return the definition of the crawl ``name``, which knows the scope: the one at ``reference``,
    else the one that is known here.

    Raises:
        Mistake: it has code that is not known here, or ``reference`` defines another crawl.
    """
    if reference is None:
        try:
            return client.crawl(name)
        except UnknownCrawl:
            raise Mistake(
                f"{name} has code, which is not known here: --crawl books.py (or CRAWLER_CRAWLS)"
            ) from None
    crawl = load(reference)
    crawl.validate()
    if crawl.name != name:
        raise Mistake(f"{reference} defines the crawl {crawl.name}, not {name}")
    return crawl


def urls_of(files: Iterable[str]) -> Iterator[str]:
    """Return the URLs of files; ``-`` is standard input."""
    for file in files:
        yield from urls_of_lines(sys.stdin.buffer) if file == "-" else urls_of_file(file)
