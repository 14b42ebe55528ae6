"""Write the pictures of commands in docs/images: what they print, from the same values each time.

python docs/make_captures.py            write them
python docs/make_captures.py --check    exit status 1 if one is not what it would write
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner
from rich.console import Console
from rich.text import Text

from crawler.browser.trial.trial_chrome import PageRecord
from crawler.cli import main as crawler
from crawler.cli.crawl_list import table
from crawler.cli.live.crawl_state import CrawlState, Failure, Flight
from crawler.cli.live.screen import Frame, crawl_lines, list_lines
from crawler.cli.page_report import TriedPage, Wanted, head_lines, item_text, tail_lines
from crawler.definition.crawl import Crawl
from crawler.frontier.answers import Lane
from crawler.model import Link, Page, Response, Result, Snapshot, Status
from crawler.output import report
from crawler.run.dry_run import DryRun

FOLDER = Path(__file__).parent / "images"
WIDTH, HEIGHT = 80, 24
NOW = 1_800_000_000.0
#: What would be fetched from elsewhere to show a picture.
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
KEYS = "q finish pages in flight, and end · p pause · ? help"
#: The course of a pace: it begins, goes on, and is slowed down by a host that asks for patience.
RATES = (
    *(2.1, 6.4, 9.8, 11.2, 12.6, 13.1, 12.2, 13.4, 14.0, 13.2, 12.8, 13.9, 14.4, 13.0, 12.1),
    *(9.0, 6.2, 5.8, 7.4, 11.0, 12.9, 13.3, 12.4, 13.8, 14.9, 13.6, 12.7, 13.1, 12.9, 12.4),
)


def books() -> Snapshot:
    """Return a crawl in the midst of its work."""
    return Snapshot(
        name="books",
        status=Status.ACTIVE,
        reason=None,
        generation=1,
        accepted=3_402,
        queued=1_177,
        delayed=4,
        processing=4,
        done=2_214,
        failed=3,
        counts={"items": 2_104, "started": 2_221, "retried": 9},
        active=192.0,
        started=NOW - 192,
    )


def ended() -> Snapshot:
    """Return a crawl that is over."""
    return Snapshot(
        name="books",
        status=Status.FINISHED,
        reason="frontier is empty",
        generation=1,
        accepted=3_402,
        queued=0,
        delayed=0,
        processing=0,
        done=3_398,
        failed=4,
        counts={"items": 3_212, "started": 3_411, "retried": 9, "dup": 41_007},
        reasons={"http_404": 3, "timeout": 1},
        active=287.4,
        started=NOW - 288,
        ended=NOW,
    )


def live_state() -> CrawlState:
    """Return what the live view shows of ``books``."""
    urls = ("books/the-patient-gardener", "books/salt-road", "authors/mori?page=3", "shelves/9")
    return CrawlState(
        books(),
        NOW,
        rate=12.4,
        rates=RATES,
        span=190.0,
        left=1_185,
        seconds_left=98.0,
        hosts=(
            Lane("books.example", "ready", 1_020, 3, 3_000, 0, "delay", 0),
            Lane("covers.example", "snoozed", 152, 1, 380, NOW + 0.8, "delay", 0),
            Lane("archive.example", "snoozed", 9, 0, 22, NOW + 41, "breaker", 10),
        ),
        host_sums=(3, 1, 2),
        flights=tuple(
            Flight(f"https://books.example/{url}", step, age, 1)
            for url, step, age in zip(
                urls, ("request", "", "", ""), (3.4, 0.6, 0.3, 0.1), strict=True
            )
        ),
        failures=(
            Failure("https://archive.example/1987/spring", "http_503", 19.0),
            Failure("https://books.example/books/out-of-print", "http_404", 74.0),
            Failure("https://books.example/books/gone", "http_404", 131.0),
        ),
        memory={"renderer": 204e6, "browser": 96e6, "gpu": 41e6, "driver": 9e6},
        workers=1,
    )


def other(name: str, status: Status, done: int, **values: object) -> CrawlState:
    """Return another crawl, for the list of all."""
    facts = {"reason": None, "generation": 1, "accepted": done, "failed": 0, "active": 60.0}
    lists = {"queued": 0, "delayed": 0, "processing": 0, "done": done}
    return CrawlState(Snapshot(name=name, status=status, **(facts | lists)), NOW, **values)  # type: ignore[arg-type]


def tried_page() -> TriedPage:
    """Return one page that was tried."""
    site = "https://books.example"
    crawl = Crawl(name="books", url=site, extract={"title": "h1", "price": ".price"})
    full = Response(
        f"{site}/books/salt-road",
        200,
        "OK",
        content_type="text/html",
        timing={"response": 54.0, "dom": 166.0, "load": 168.0, "total": 302.0},
        console=({"level": "error", "message": f'{site}/app.js 12:3 "no such shelf"'},),
    )
    item = {"title": "Salt Road", "price": None}
    result = Result("books", Page(full.url), full, item, (), 480.0)
    kept = tuple(Page(f"{site}/{path}", 1) for path in ("books/shelf-9", "authors/mori", "about"))
    left = [(Link("https://covers.example/salt-road"), "scope")] * 22
    left += [(Link(full.url), "duplicate")] * 9
    steps = {"browser": 890.0, "queue.register": 10.0, "request": 335.0, "extract": 2.0}
    return TriedPage(
        crawl,
        DryRun(result, kept, tuple(left), {}, steps),
        PageRecord(full),
        "robots.txt: looked up celery-crawler, *; the group that counts: *",
        "*",
        ['price got a value after the page was read: wait_for = [".price"]'],
        {"price": ".price"},
    )


def crawl_row(
    name: str, status: str, counts: tuple[int, int, int], definition: str
) -> dict[str, object]:
    """Return a row of ``crawler list``."""
    done, failed, waiting = counts
    numbers = {"done": done, "failed": failed, "waiting": waiting}
    return {"name": name, "status": status, **numbers, "definition": definition}


def save(name: str, title: str, lines: list[Text]) -> dict[Path, str]:
    """Return the picture ``name`` of ``lines``."""
    console = Console(
        record=True,
        width=WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        _environ={},
    )
    for line in lines:
        console.print(line, no_wrap=True, crop=True, soft_wrap=False)
    text = FONTS.sub("", console.export_svg(title=title, unique_id=name))
    return {
        FOLDER / f"command-{name}.svg": "\n".join(line.rstrip() for line in text.splitlines())
        + "\n"
    }


@contextlib.contextmanager
def empty_folder() -> Iterator[None]:
    """Work in an empty folder, without the variables of whoever writes the pictures."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        before = dict(os.environ)
        for variable in [one for one in os.environ if one.startswith(("CRAWLER_", "DJANGO_"))]:
            del os.environ[variable]
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def folded(lines: list[str]) -> list[Text]:
    """Return ``lines`` as a terminal breaks them."""
    return [
        Text(line[at : at + WIDTH]) for line in lines for at in range(0, max(1, len(line)), WIDTH)
    ]


def command(words: str) -> Text:
    """Return a command line."""
    return Text("$ ", "dim").append(words, "bold")


def output_of(*words: str, **environ: str) -> list[Text]:
    """Return what a command prints, after its command line."""
    end = CliRunner().invoke(crawler, words, env=environ)
    return [command(f"crawler {' '.join(words)}"), *folded(end.output.splitlines())]


def pictures() -> dict[Path, str]:
    """Return all pictures, by their file."""
    state = live_state()
    found = save("live", "crawler start books.py", crawl_lines(state, WIDTH, HEIGHT, Frame(KEYS)))
    states = [
        state,
        other("prices", Status.ACTIVE, 812, rate=3.1, seconds_left=260.0),
        other("news", Status.PAUSED, 40, standstill="paused by ann at desk; crawler resume news"),
        other("maps", Status.FINISHED, 5_118),
    ]
    keys = Frame("q leave (nothing is stopped) · ? help")
    found |= save("watch", "crawler info --watch", list_lines(states, WIDTH, 12, keys))
    lines = [command("crawler report books"), *folded(report.lines(ended()))]
    found |= save("report", "crawler report", lines)
    page, wanted = tried_page(), Wanted()
    shown = [*head_lines(page, wanted), *item_text(page.outcome).splitlines()]
    shown += tail_lines(page, wanted)
    lines = [
        command(f"crawler run books.toml --url {page.outcome.result.page.url}"),
        *folded(shown),
    ]
    found |= save("run", "crawler run", lines)
    rows = [
        crawl_row("books", "active", (2_214, 3, 1_181), "code"),
        crawl_row("maps", "finished", (5_118, 0, 0), "code"),
        crawl_row("news", "paused", (40, 0, 312), "stored"),
        crawl_row("prices", "not started", (0, 0, 0), "code"),
    ]
    found |= save("list", "crawler list", [command("crawler list"), *map(Text, table(rows))])
    with empty_folder():
        url = {"CRAWLER_REDIS_URL": "redis://:secret@redis.internal:6379/0", "CRAWLER_EVENTS": "0"}
        # without its last line, the number of settings at their default, which grows
        found |= save("config", "crawler config", output_of("config", **url)[:-1])
        Path("books.toml").write_text(
            'name = "books"\nurl = "books.example"\ndepth_limit = -1\ndelays = 0.5\n'
        )
        found |= save("validate", "crawler validate", output_of("validate", "books.toml"))
    return found


def main() -> None:
    """Write the pictures, or check them."""
    wrong = [
        path for path, text in pictures().items() if not path.exists() or path.read_text() != text
    ]
    if "--check" in sys.argv[1:]:
        sys.exit(f"not as docs/make_captures.py writes them: {wrong}" if wrong else 0)
    for path, text in pictures().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
