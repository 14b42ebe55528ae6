"""Celery's program with its command ``worker`` only."""

from __future__ import annotations

import click
from celery.app.utils import find_app
from celery.bin.base import CLIContext
from celery.bin.worker import worker


@click.group()
@click.option("-A", "--app", required=True, help="The module of the Celery app.")
@click.option("-C", "--no-color", is_flag=True, envvar="NO_COLOR", help="Print without colours.")
@click.pass_context
def program(context: click.Context, app: str, no_color: bool) -> None:
    """Run a command of Celery with an app, as Celery's own program does."""
    context.obj = CLIContext(app=find_app(app), no_color=no_color, workdir=None)


program.add_command(worker)
