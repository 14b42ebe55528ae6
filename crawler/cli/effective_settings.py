"""``config``: the settings that hold here, and where each comes from."""

from __future__ import annotations

import json

import click

from ..config import settings as configuration
from ..config.settings import EffectiveSetting, effective
from ..redaction import masked
from ..secret_refs import SECRET_PREFIX
from .terminal import echo


@click.command()
@click.option("--all", "every", is_flag=True, help="Those at their default, too.")
@click.option("--json", "as_json", is_flag=True, help="For programs: all, as one object.")
def config(every: bool, as_json: bool) -> None:
    """Show the settings that hold here, and where each comes from.

    Passwords are left out: those of URLs, tokens, secrets.
    """
    settings = configuration.load()
    found = effective(settings)
    if as_json:
        record = {one.variable: {"value": shown(one), "from": one.source} for one in found}
        echo(json.dumps(record, ensure_ascii=False))
        return
    width = max(len(one.variable) for one in found)
    rows = [one for one in found if every or one.source != configuration.DEFAULT]
    for one in rows:
        echo(f"{one.variable:<{width}}  {shown(one)}  ({one.source})")
    if not every:
        echo(f"{len(found) - len(rows)} more are at their default (crawler config --all)")
    if names := sorted(configuration.secrets(SECRET_PREFIX)):
        echo(f"secrets for crawls: {', '.join(names)}")
    for name, near in configuration.unknown(SECRET_PREFIX).items():
        echo(f"warning: {name} is no setting" + (f"; {near} is" if near else ""), err=True)


def shown(one: EffectiveSetting) -> str | None:
    """Return the value of a setting for people: of a secret that is no URL, only that it is set."""
    if one.value in (None, ()):
        return None if one.value is None else ""
    if one.is_secret:
        text = str(one.value)
        return masked(text) if "://" in text else "***"
    return ", ".join(map(str, one.value)) if isinstance(one.value, tuple) else str(one.value)
