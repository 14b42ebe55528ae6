"""Write failures.md from the reasons themselves: `make docs`. A test holds the file to its
output.
"""

from __future__ import annotations

from pathlib import Path

from crawler.output.failure_reasons import REASONS

HEAD = """\
# Failure reasons

Why a page is in *failed*, or was tried again: the word in `crawler failed NAME`, in the report, in
the admin, in the metrics `crawler_pages_failed` and `crawler_attempts_total`. This file is written
by `make docs`.

A page that is *tried again* fails for good after `attempts` attempts, with longer and longer waits
in between; a Retry-After is kept. `crawler retry NAME --reason REASON` sends those that failed for
good back to the queue, with all their attempts. Some say more after a colon: an advice, or where a
hook raised. A reason that is not here is Chrome's own name of a network error, in small letters
(`err_…`), and is tried again. `http_4xx` and `http_5xx` stand for all that are not here by their
number.

A page that was merely known already, or a link that leads out of the crawl, is no failure: it is
counted in the report, with an example.

| reason | what it means | tried again | what to do |
|---|---|---|---|
"""


def page() -> str:
    """Return the whole text."""
    rows = [
        f"| `{reason}` | {one.text} | {'yes' if one.retried else 'no'} | {one.mend} |"
        for reason, one in REASONS.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("failures.md").write_text(page())
