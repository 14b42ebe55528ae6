"""``serve``: the jobs API as a server of its own."""

from __future__ import annotations

import logging

import click

from ..config import settings as configuration
from ..errors import PortTaken, SetupError
from .click_errors import ANY_PORT, with_fallback
from .parameters import HOST


@click.command()
@click.option("--host", type=HOST, default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8_000,
    show_default=True,
    help="0 takes a free one.",
)
@click.option("--no-auth", is_flag=True, help="Ask for no token: on loopback only.")
@with_fallback(PortTaken, "port", 0, ANY_PORT)
def serve(host: str, port: int, no_auth: bool) -> None:
    """Serve the jobs API: POST /jobs, GET /jobs/ID, and so on; /openapi.json describes it.

    Clients show one of CRAWLER_API_TOKENS. The crawls that they may name are those of
    CRAWLER_CRAWLS.
    """
    try:
        from ..api import server
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "anyio"):
            raise
        raise SetupError(
            "the server's libraries are not installed: pip install celery-crawler[serve]"
        ) from error
    settings = configuration.load()
    for name in ("crawler", "uvicorn.error"):
        logging.getLogger(name).setLevel(settings.log_level)
    server.serve(settings, host, port, authentication=not no_auth)
