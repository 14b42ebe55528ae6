"""The command line.

Belongs here: one module per command or family of commands, and how they print. Does not: what a
command does to a crawl (``client/``, ``services``). ``main`` imports no command before it runs.
"""

from __future__ import annotations

import logging

import click

from ..config import SettingsError, django
from ..observe.logs import PrintableFormatter
from ..version import __version__
from .group import Group, LazyCommand

#: Each command: its name, the module here that defines it by that name, and its one-line help.
COMMANDS = (
    ("start", "start", "Crawl all of CRAWL, and end when nothing is left."),
    ("run", "run", "Run one page of CRAWL, without Redis and without following links."),
    ("generate", "generate", "Write a definition of a crawl, by questions about the page at URL."),
    ("shell", "shell", "Open a Python prompt on a page of CRAWL, as Chrome has rendered it."),
    ("validate", "validate", "Say everything that is wrong with CRAWL at once."),
    ("list", "crawl_list", "List the crawls that were started, and those of CRAWLER_CRAWLS."),
    ("info", "info", "Say what the crawl NAME (or each crawl) is doing."),
    ("pause", "control", "Begin no further page of NAME until `resume`; pages in flight finish."),
    ("resume", "control", "Let the crawl NAME go on after `pause` or `stop`."),
    ("stop", "control", "Begin no further page of the crawl NAME; pages in flight finish."),
    (
        "cancel",
        "control",
        "Stop NAME, and give up its pages in flight; they come back if it is resumed.",
    ),
    ("limits", "control", "Show the limits of the crawl NAME, or change some while it goes on."),
    ("clear", "control", "Forget the crawl NAME: its pages, its results, all it knows."),
    ("enqueue", "pages", "Feed URLs to the crawl NAME."),
    ("failed", "pages", "List the pages of NAME that failed for good, its dead letters."),
    ("vanished", "vanished", "List the pages that NAME knew before, and that are gone."),
    ("retry", "pages", "Send failed pages of NAME back to its queue."),
    ("export", "results", "Write the items of NAME as JSON lines, CSV, Parquet or SQLite."),
    ("report", "results", "Say what the crawl NAME did, and why it ended, if it has."),
    ("audit", "upkeep", "Say what is wrong with the keys of NAME; exit status 1 if anything is."),
    ("repair", "upkeep", "Mend what `audit` finds in NAME, which may go on meanwhile."),
    ("tick", "upkeep", "Find again what was lost, in every crawl, once."),
    (
        "worker",
        "worker",
        "Run pages of any crawl until it is told to end (SIGTERM lets pages in flight finish).",
    ),
    (
        "serve",
        "serve",
        "Serve the jobs API: POST /jobs, GET /jobs/ID, and so on; /openapi.json describes it.",
    ),
    ("load", "load", "Put jobs under load, and write a report on how long they took."),
    ("flower", "flower", "Show each run in a browser, by Flower; a log-in is required."),
    ("metrics", "metrics", "Serve metrics of all crawls and workers to Prometheus, at /metrics."),
    (
        "health",
        "health",
        "Say whether the worker of this machine, Redis, the broker and Chrome work.",
    ),
    ("doctor", "doctor", "Say what is installed, reachable and misconfigured."),
    (
        "config",
        "effective_settings",
        "Show the settings that hold here, and where each comes from.",
    ),
    (
        "completion",
        "completion",
        "Print the script that completes commands, options and names of crawls in SHELL.",
    ),
)

#: Commands that load no crawl: a probe, what a shell asks for, and programs that set a Django
#: project up by themselves.
WITHOUT_CRAWLS = ("health", "worker", "flower", "completion")
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}


@click.group(cls=Group, context_settings=SETTINGS)
@click.pass_context
@click.version_option(__version__, prog_name="crawler")
@click.option(
    "-v",
    "--verbose",
    count=True,
    help="Say more: what each step does (-vv), and the cause of an error.",
)
def main(context: click.Context, verbose: int) -> None:
    """Crawl sites that need a real browser.

    CRAWL is a URL, a TOML file, a Python file, module:attribute, or a name in CRAWLER_CRAWLS.
    """
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = logging.StreamHandler()
    handler.setFormatter(
        PrintableFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("crawler").setLevel(level)
    if context.invoked_subcommand not in WITHOUT_CRAWLS:
        try:
            django.set_up()
        except django.ProjectError as error:
            raise SettingsError(str(error)) from error


for row in COMMANDS:
    main.add_command(LazyCommand(*row))
