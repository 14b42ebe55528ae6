"""``pause``, ``resume``, ``stop``, ``cancel``, ``limits``, ``clear``: commands that change a crawl
from outside.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

import click

from ..definition.fields import check_fields
from ..model import Policy, Status
from .common import Mistake, client, handle, standing

#: What ``limits`` can change.
LIMITS = sorted(field.name for field in fields(Policy))


@click.command()
@click.argument("name")
def pause(name: str) -> None:
    """Begin no further page of NAME until `resume`; pages in flight finish. It outlives every
    restart.
    """
    with client() as there:
        crawl, _ = handle(there, name)
        crawl.pause()
        click.echo(standing(there, crawl.snapshot()))


@click.command()
@click.argument("name")
@click.option("--reopen", is_flag=True, help="Also if it has ended: with what is still queued.")
def resume(name: str, reopen: bool) -> None:
    """Let the crawl NAME go on after `pause` or `stop`."""
    with client() as there:
        crawl, seen = handle(there, name)
        if seen.status.ended and not reopen:
            raise Mistake(
                f"{name} has ended ({seen.status.value.lower()}): crawler resume {name} --reopen"
            )
        crawl.resume(reopen=reopen)
        click.echo(standing(there, crawl.snapshot()))


@click.command()
@click.argument("name")
def stop(name: str) -> None:
    """Begin no further page of the crawl NAME; pages in flight finish."""
    end(name, "stop")


@click.command()
@click.argument("name")
def cancel(name: str) -> None:
    """Stop NAME, and give up its pages in flight; they come back if it is resumed."""
    end(name, "cancel")


def end(name: str, how: str) -> None:
    """End a crawl, and say where it stands."""
    with client() as there:
        crawl, seen = handle(there, name)
        if seen.status.ended:
            click.echo(f"{name} has ended already: {seen.status.value.lower()}")
            return
        if how == "stop":
            crawl.stop("stopped by crawler stop")
        else:
            crawl.cancel("cancelled by crawler cancel")
        click.echo(standing(there, crawl.snapshot()))


@click.command()
@click.argument("name")
@click.argument("changes", nargs=-1, metavar="[FIELD=VALUE]...")
def limits(name: str, changes: tuple[str, ...]) -> None:
    """Show the limits of the crawl NAME, or change some while it goes on.

    For example: page_limit=5000 delay=1 time_limit=none. A crawl that drains because of a limit
    goes on when it is raised; `crawler start --update` sets all of them back to the definition's.
    """
    with client() as there:
        crawl, _ = handle(there, name)
        if changes:
            crawl.frontier.set_limits(**values(changes))
            there.wake(name)
            seen = crawl.snapshot()
            click.echo(standing(there, seen))
            if seen.status.ended and seen.queued:
                click.echo(
                    f"it has ended; to go on with the {seen.queued} pages that wait: crawler resume"
                    f" {name} --reopen"
                )
            return
        plan = crawl.frontier.plan()
        for field, value in sorted(asdict(plan.policy).items()) if plan else ():
            click.echo(f"{field:<18} {'none' if value is None else str(value).lower()}")


def values(changes: Iterable[str]) -> dict[str, Any]:
    """``field=value`` pairs, checked as in a definition; values as in TOML, ``none`` lifts a
    limit.
    """
    found: dict[str, Any] = {}
    for change in changes:
        field, equals, text = (part.strip() for part in change.partition("="))
        if not equals:
            raise Mistake(f"{change!r} is no change of a limit (for example: page_limit=1000)")
        if field not in LIMITS:
            raise Mistake(f"no limit is named {field!r}; there are: {', '.join(LIMITS)}")
        try:
            found[field] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[field] = text
    checked, faults = check_fields({"name": "x", "url": "http://example.com/", **found})
    if checked is None:
        raise Mistake("\n".join(map(str, faults)))
    return {field: getattr(checked, field) for field in found}


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(name: str, yes: bool) -> None:
    """Forget the crawl NAME: its pages, its results, all it knows. Result files stay."""
    with client() as there:
        _, seen = handle(there, name)
        if seen.status is Status.ACTIVE and seen.processing:
            raise Mistake(
                f"{name} is at work on {seen.processing} pages: `crawler stop {name}` first"
            )
        if not yes:
            click.confirm(f"Forget {name} with {seen.accepted} known pages?", abort=True)
        there.clear(name)
        click.echo(f"{name}: forgotten")
