"""``pause``, ``resume``, ``stop``, ``cancel``, ``limits``, ``clear``: commands that change a crawl
from outside.
"""

from __future__ import annotations

from dataclasses import asdict

import click

from ..frontier.operations import Operations
from ..local.processes import user_of
from ..model import Status
from .click_errors import Mistake
from .common import find_crawl, open_client, standing
from .limit_changes import parse_limits
from .parameters import CRAWL_NAME
from .terminal import echo


@click.command()
@click.argument("name", type=CRAWL_NAME)
def pause(name: str) -> None:
    """Begin no further page of NAME until `resume`; pages in flight finish. It outlives every
    restart.
    """
    with open_client() as client:
        crawl, _ = find_crawl(client, name)
        crawl.pause(by := user_of("crawler pause"))
        Operations(crawl.frontier).note("is paused", by)
        echo(standing(client, crawl.snapshot()))


@click.command()
@click.argument("name", type=CRAWL_NAME)
@click.option("--reopen", is_flag=True, help="Also if it has ended: with what is still queued.")
def resume(name: str, reopen: bool) -> None:
    """Let the crawl NAME go on after `pause` or `stop`."""
    with open_client() as client:
        crawl, snapshot = find_crawl(client, name)
        if snapshot.status.ended and not reopen:
            raise Mistake(
                f"{name} has ended ({snapshot.status.value.lower()}): crawler resume {name}"
                " --reopen"
            )
        crawl.resume(reopen=reopen)
        Operations(crawl.frontier).note("goes on", user_of("crawler resume"))
        echo(standing(client, crawl.snapshot()))


@click.command()
@click.argument("name", type=CRAWL_NAME)
def stop(name: str) -> None:
    """Begin no further page of the crawl NAME; pages in flight finish."""
    end(name, "stop")


@click.command()
@click.argument("name", type=CRAWL_NAME)
def cancel(name: str) -> None:
    """Stop NAME, and give up its pages in flight; they come back if it is resumed."""
    end(name, "cancel")


def end(name: str, how: str) -> None:
    """Stop or cancel a crawl, and print where it stands."""
    with open_client() as client:
        crawl, snapshot = find_crawl(client, name)
        if snapshot.status.ended:
            echo(f"{name} has ended already: {snapshot.status.value.lower()}")
            return
        by = user_of(f"crawler {how}")
        if how == "stop":
            crawl.stop(f"stopped by {by}")
        else:
            crawl.cancel(f"cancelled by {by}")
        Operations(crawl.frontier).note(f"was told to {how}", by)
        echo(standing(client, crawl.snapshot()))


@click.command()
@click.argument("name", type=CRAWL_NAME)
@click.argument("changes", nargs=-1, metavar="[FIELD=VALUE]...")
def limits(name: str, changes: tuple[str, ...]) -> None:
    """Show the limits of the crawl NAME, or change some while it goes on.

    For example: page_limit=5000 delay=1 time_limit=none. A crawl that drains because of a limit
    goes on when it is raised; `crawler start --update` sets all of them back to the definition's.
    """
    with open_client() as client:
        crawl, _ = find_crawl(client, name)
        if not changes:
            plan = crawl.frontier.plan()
            for field, value in sorted(asdict(plan.policy).items()) if plan else ():
                echo(f"{field:<18} {'none' if value is None else str(value).lower()}")
            return
        crawl.frontier.set_limits(**parse_limits(changes))
        Operations(crawl.frontier).note(f"goes by {', '.join(changes)}", user_of("crawler limits"))
        client.wake(name)
        snapshot = crawl.snapshot()
        echo(standing(client, snapshot))
        if snapshot.status.ended and snapshot.queued:
            echo(
                f"it has ended; to go on with the {snapshot.queued} pages that wait: crawler"
                f" resume {name} --reopen"
            )


@click.command()
@click.argument("name", type=CRAWL_NAME)
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(name: str, yes: bool) -> None:
    """Forget the crawl NAME: its pages, its results, all it knows. Result files stay."""
    with open_client() as client:
        _, snapshot = find_crawl(client, name)
        if snapshot.status is Status.ACTIVE and snapshot.processing:
            raise Mistake(
                f"{name} is at work on {snapshot.processing} pages: `crawler stop {name}` first"
            )
        if not yes:
            click.confirm(f"Forget {name} with {snapshot.accepted} known pages?", abort=True)
        client.clear(name)
        echo(f"{name}: forgotten")
