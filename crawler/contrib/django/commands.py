"""The base of our management commands: ``--json``, and errors as one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...config import SettingsError
from ...errors import CrawlerError, CrawlExists, UnknownCrawl
from ...model import Json, Snapshot
from ...output import report
from ...output.report import ExitStatus
from ...redaction import masked
from ...text.printable import printable

if TYPE_CHECKING:
    from ...client.client import Client
    from ...client.crawl_handle import CrawlHandle

#: Seconds between two questions why a crawl that is waited for stands still.
ASK_INTERVAL = 5.0


class Command(BaseCommand):
    """A command about crawls. A mistake of its user ends in one line and exit status 2."""

    # the command meets the faults that a check would find, and tells each in one line
    requires_system_checks: ClassVar[list[str]] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--json``."""
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help="For programs: JSON on standard output.",
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it; errors of ours become one line."""
        with errors_in_one_line():
            answer: str | None = super().execute(*args, **options)
        return answer

    def wait(self, client: Client, handle: CrawlHandle) -> Snapshot:
        """Return the last snapshot of a crawl when it has ended. Meanwhile each other reason for
        which it stands still gets a line on standard error.
        """
        known = None
        while True:
            with suppress(TimeoutError):
                return handle.wait(ASK_INTERVAL)
            found = client.standstill(handle.name, ask=True)
            if found and found.reason != known:
                self.stderr.write(printable(f"{handle.name} stands still: {found.line()}"))
            known = found and found.reason

    def say(self, value: Json, text: str, *, as_json: bool) -> None:
        """Print ``value`` as JSON, or else ``text``."""
        shown = json.dumps(value, ensure_ascii=False) if as_json else text
        self.stdout.write(printable(shown, keep="\n"))


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn errors that a user can mend into Django's error of a command."""
    try:
        yield
    except CrawlExists as error:
        raise CommandError(
            printable(f"{error} (--restart, --update, --reset)"), returncode=ExitStatus.MISTAKE
        ) from error
    except UnknownCrawl as error:
        text = str(error)
        if error.name in error.known:
            text = (
                f"the crawl {error.name!r} has not been started yet: manage.py crawl {error.name}"
            )
        raise CommandError(printable(text), returncode=ExitStatus.MISTAKE) from error
    except (CrawlerError, SettingsError) as error:
        text = printable(masked(str(error)), keep="\n")
        raise CommandError(text, returncode=ExitStatus.MISTAKE) from error
    except KeyboardInterrupt as error:
        status = ExitStatus.INTERRUPTED
        raise CommandError("interrupted; the crawl goes on", returncode=status) from error


def standing(name: str, snapshot: Snapshot | None) -> tuple[dict[str, Json], str]:
    """Return where a crawl stands, for programs and for people; no snapshot: it never started."""
    if snapshot is None:
        return {"crawl": name, "status": None}, f"{name}: not started"
    return report.report(snapshot), report.standing(snapshot)
