"""``worker``: a Celery worker with the options that crawls need."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..config import settings as configuration
from ..config.settings import environment
from ..errors import SetupError
from ..local.embedded import worker_command


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--concurrency",
    "-c",
    type=click.IntRange(1, 256),
    default=4,
    show_default=True,
    help="Pages at once: one browser each.",
)
@click.option("--crawls", help="Modules or files with crawls that it knows, as in CRAWLER_CRAWLS.")
@click.argument("celery_options", nargs=-1, type=click.UNPROCESSED)
def worker(concurrency: int, crawls: str | None, celery_options: tuple[str, ...]) -> None:
    """Run pages of any crawl until it is told to end (SIGTERM lets pages in flight finish).

    Further options go to `celery worker` as they are.
    """
    settings = configuration.load()
    if not settings.redis_url:
        raise SetupError(
            "a worker needs to know where the frontier is: set CRAWLER_REDIS_URL (for example"
            " redis://127.0.0.1:6379/0)"
        )
    if crawls:
        names = tuple(part.strip() for part in crawls.split(",") if part.strip())
        settings = settings.model_copy(update={"crawls": names})
    command = worker_command(settings, concurrency, *celery_options)
    program = Path(command[0])
    os.execve(program, command, os.environ | environment(settings))  # noqa: S606, no shell
