"""Errors of hooks that a client calls: where they were raised, and none that ends the caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import HookFailed
from ..hooks import note_of, note_place
from ..local.shutdown import shutdown
from ..text.encodable import text_of_error, type_of_error

if TYPE_CHECKING:
    from ..definition.crawl import Crawl
    from ..hooks import Hook


@contextmanager
def noted(step: str, hook: Hook, crawl: Crawl, url: str = "") -> Iterator[None]:
    """Note in an error of ``hook``, which this block calls, where it was raised; see
    :func:`crawler.hooks.note_place`.

    Raises:
        HookFailed: the hook raised what would end this process (SystemExit), and no signal did.
    """
    with shutdown.watch():
        try:
            yield
        except BaseException as error:
            note_place(error, step, hook, crawl.name, url)
            if isinstance(error, Exception) or shutdown.signal_name:
                raise
            text = ": ".join(filter(None, [type_of_error(error), text_of_error(error)]))
            failed = HookFailed(text)
            if note := note_of(error):
                failed.add_note(note)
            raise failed from error
