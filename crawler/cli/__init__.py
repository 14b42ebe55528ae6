"""The command line: a thin door. Each command says what it does; errors are one line."""

from __future__ import annotations

import logging

import click

from ..version import __version__
from . import (
    control,
    doctor,
    health,
    info,
    metrics,
    pages,
    results,
    run,
    serve,
    start,
    upkeep,
    worker,
)
from .common import Group


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
@click.version_option(__version__, prog_name="crawler")
@click.option(
    "-v",
    "--verbose",
    count=True,
    help="Say more: what each step does (-vv), and the cause of an error.",
)
def main(verbose: int) -> None:
    """Crawl sites that need a real browser.

    CRAWL is a URL, a TOML file, a Python file or module:attribute.
    """
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("crawler").setLevel(level)


for command in (
    start.start, run.run, run.validate,
    info.info, control.pause, control.resume, control.stop, control.cancel, control.limits,
    pages.enqueue, pages.failed, pages.retry, results.export, results.report,
    upkeep.audit, upkeep.repair, upkeep.tick, control.clear, worker.worker, serve.serve, metrics.metrics,
    health.health, doctor.doctor,
):  # fmt: skip
    main.add_command(command)
