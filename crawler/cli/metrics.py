"""``metrics``: the metrics of all crawls and workers for Prometheus, from one process."""

from __future__ import annotations

import click

from ..errors import PortTaken, SetupError
from .click_errors import ANY_PORT, with_fallback
from .common import open_client
from .parameters import HOST
from .terminal import echo

#: The port in the documentation, in docker-compose.yml and in prometheus.yml.
PORT = 9808


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=PORT,
    show_default=True,
    help="0: any that is free.",
)
@click.option(
    "--address",
    type=HOST,
    default="127.0.0.1",
    show_default=True,
    help="Whom to listen to; there is no log-in.",
)
@click.option("--once", is_flag=True, help="Print the metrics instead, and end.")
@with_fallback(PortTaken, "port", 0, ANY_PORT)
def metrics(port: int, address: str, once: bool) -> None:
    """Serve metrics of all crawls and workers to Prometheus, at /metrics.

    Everything is read from Redis at each scrape, so one such process is enough, and it may be
    restarted at any time.
    """
    try:
        from prometheus_client import generate_latest, start_http_server

        from ..observe.metrics import registry
    except ModuleNotFoundError as error:
        raise SetupError(
            "metrics need the extra `metrics`: pip install 'celery-crawler[metrics]'"
        ) from error

    with open_client() as client:
        collected = registry(client)
        if once:
            echo(generate_latest(collected).decode(), nl=False)
            return
        try:
            server, thread = start_http_server(port, address, registry=collected)
        except OSError as error:
            raise PortTaken(address, port, error.strerror or str(error)) from error
        echo(f"http://{address}:{server.server_port}/metrics")
        thread.join()
