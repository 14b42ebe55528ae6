"""The stream of a crawl's results, as those who write files read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from ...text.encodable import encodable

#: A result in the stream: its place, the running number of its page, its line of JSON.
Entry = tuple[str, int, str]
#: Reads results after a place in the stream.
Read = Callable[[str], Sequence[Entry]]

#: The end of an empty stream.
NOWHERE = ("0", 0)


class Source(Protocol):
    """The stream of one crawl's results."""

    def origin(self) -> str:
        """Return when the crawl was created, which tells it from another one of its name; "" if no
        such crawl exists.
        """

    def results_from(self, place: str) -> Sequence[Entry]:
        """Return results from the place ``place`` on, its own too; "0": from the oldest."""


def batches(read: Callable[[str], Sequence[Entry]]) -> Iterator[Sequence[Entry]]:
    """Yield all results of a stream that is read from a place on, its own too."""
    place = "0"
    while batch := read(place):
        if place != "0" and batch[0][0] == place:
            batch = batch[1:]
            if not batch:
                return
        yield batch
        place = batch[-1][0]


def line_of(text: str) -> bytes:
    """Return a result as the line of a file."""
    return encodable(text).encode() + b"\n"
