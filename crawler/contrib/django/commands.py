"""What our management commands share: ``--json``, and errors as one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...config.settings import SettingsError
from ...errors import CrawlerError, CrawlExists
from ...model import Json, Snapshot
from ...output import report
from ...redaction import masked

#: Exit statuses, as those of the ``crawler`` command.
CRAWL_FAILED, MISTAKE, INTERRUPTED = 1, 2, 130


class Command(BaseCommand):
    """A command about crawls. Its mistakes end in one line and exit status 2."""

    # what would be checked is looked at anyway, and told in one line
    requires_system_checks: ClassVar[list[str]] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """``--json``."""
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="For programs: JSON on standard output.",
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it; errors of ours become one line."""
        with one_line():
            answer: str | None = super().execute(*args, **options)
        return answer

    def say(self, value: Json, text: str, *, as_json: bool) -> None:
        """``value`` for programs, else ``text``."""
        self.stdout.write(json.dumps(value, ensure_ascii=False) if as_json else text)


@contextmanager
def one_line() -> Iterator[None]:
    """Turn what a user can mend into Django's error of a command."""
    try:
        yield
    except CrawlExists as error:
        raise CommandError(f"{error} (--reset)", returncode=MISTAKE) from error
    except (CrawlerError, SettingsError) as error:
        raise CommandError(masked(str(error)), returncode=MISTAKE) from error
    except KeyboardInterrupt as error:
        raise CommandError("interrupted; the crawl goes on", returncode=INTERRUPTED) from error


def standing(name: str, seen: Snapshot | None) -> tuple[dict[str, Json], str]:
    """Where a crawl stands, for programs and for people."""
    if seen is None:
        return {"crawl": name, "status": None}, f"{name}: not started"
    reason = f" ({seen.reason})" if seen.reason else ""
    counts = (
        f"{seen.done} done, {seen.failed} failed, {seen.queued + seen.delayed} waiting,"
        f" {seen.processing} in flight"
    )
    return report.report(seen), f"{name}: {seen.status.value.lower()}{reason}; {counts}"
