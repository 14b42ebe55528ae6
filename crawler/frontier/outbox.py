"""The deliveries of a crawl: results and failures that a hook has yet to take, in Redis.

A script that reports a page promises the delivery in the same step (``lua/lib/outbox.lua``); the
hook's return takes it out, on the next script of the run. A delivery whose run died, or whose hook
raised, is tried again, and after ``after_attempts`` it is a dead letter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..model import Json, Page
from ..storage.errors import redis_errors
from ..text.encodable import encodable
from .answers import Ending, Verdict, to_seconds
from .arguments import LETTER_BATCH, REASON_MAX, rand, to_ms
from .entries import decode_page

if TYPE_CHECKING:
    from .frontier import Frontier


@dataclass(frozen=True, slots=True)
class Delivery:
    """A result (``hook`` is "after"), a failure ("failed") or the crawl's end ("after_all", which
    has no ``page``) on its way to its hook.

    ``handed`` is the record that the hook gets, as JSON; empty where it is not asked for.
    ``attempts`` counts this one.
    """

    name: str
    page: Page | None
    attempts: int
    handed: Mapping[str, Json]

    @property
    def hook(self) -> str:
        """The hook that takes it."""
        return self.name.partition("-")[0]


@dataclass(frozen=True, slots=True)
class UndeliveredLetter:
    """A dead letter: a delivery that its hook did not take, and the ``reason`` of the last attempt.
    ``at`` is epoch seconds. ``ended``: that it became one ended the crawl.
    """

    delivery: Delivery
    reason: str
    at: float
    ended: bool = False

    def record(self) -> dict[str, Json]:
        """Return it as JSON, for people and programs."""
        delivery = self.delivery
        return {
            "hook": delivery.hook,
            "url": delivery.page.url if delivery.page else None,
            "attempts": delivery.attempts,
            "reason": self.reason,
            "at": self.at,
            "handed": dict(delivery.handed),
        }


@dataclass(frozen=True, slots=True)
class WaitingDelivery:
    """A delivery on its way. ``worker`` makes the attempt now ("": none does), the next one is due
    in ``wait`` seconds, and ``reason`` is the error of the last one ("": there was none).
    """

    delivery: Delivery
    worker: str
    wait: float
    reason: str

    def record(self) -> dict[str, Json]:
        """Return it as JSON, for people and programs."""
        delivery = self.delivery
        return {
            "hook": delivery.hook,
            "url": delivery.page.url if delivery.page else None,
            "attempts": delivery.attempts,
            "reason": self.reason or None,
            "worker": self.worker or None,
            "wait": round(self.wait, 1),
        }


class Outbox:
    """The deliveries of the crawl of ``frontier``. Errors are those of its methods."""

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier

    def take(self, name: str, worker: str) -> Delivery | UndeliveredLetter | None:
        """Return the delivery ``name``, for ``worker`` to make the next attempt; None if it is not
        there any more. It is a dead letter if each process that made an attempt died: then that
        may have ended the crawl, see ``UndeliveredLetter.ended``.
        """
        reply = self._frontier.run_script("deliver", name, worker)
        if not reply:
            return None
        if len(reply) == 2:
            ended, entry = reply
            delivery = Delivery(name, decode_page(entry), 0, {})
            return UndeliveredLetter(delivery, "its process died", 0.0, ended=bool(ended))
        attempts, entry, handed = reply
        return Delivery(name, decode_page(entry), attempts, json.loads(handed))

    def failed(self, name: str, reason: str, worker: str, delay: float | None = None) -> Ending:
        """Say that the hook raised in ``worker``, and asks to be called again after ``delay``
        seconds (None: does not say). ``retry_in`` is None if the delivery is a dead letter now.
        """
        reason = encodable(reason, REASON_MAX)
        wait = "" if delay is None else to_ms(delay)
        reply = self._frontier.run_script("delivery_failed", name, reason, rand(), worker, wait)
        verdict, retry, ended = reply
        return Ending(Verdict(verdict.decode()), bool(ended), to_seconds(retry))

    def renew(self, name: str, worker: str) -> bool:
        """Say that ``worker`` is still at work on the delivery. Whether it is still its own."""
        return bool(self._frontier.run_script("delivery_renew", name, worker, 0) == b"OK")

    def release(self, name: str, worker: str) -> bool:
        """Say that ``worker`` is gone: the delivery is due now. Whether it was this worker's."""
        return bool(self._frontier.run_script("delivery_renew", name, worker, 1) == b"OK")

    def waiting(self, count: int = 100, *, held: bool = False) -> list[WaitingDelivery]:
        """Return deliveries on their way, at most ``count``, the next one first; with ``held`` only
        those of which a worker makes an attempt now.
        """
        reply = self._frontier.run_script("deliveries", int(held), count)
        return [decode_waiting(one) for one in reply]

    def undelivered(self, start: int = 0, count: int = 100) -> list[UndeliveredLetter]:
        """Return dead letters, the oldest first; at most ``count`` from ``start`` on."""
        key = self._frontier.key("undelivered")
        with redis_errors():
            letters = self._redis.lrange(key, start, start + count - 1)
        return [decode_undelivered(letter) for letter in letters]

    def redeliver(self) -> int:
        """Put all dead letters back, as if their hooks had never been called; return their number.
        A tick brings them to a worker. A crawl that has ended ends again when they are delivered.
        """
        number = 0
        while sent := int(self._frontier.run_script("redeliver", LETTER_BATCH)):
            number += sent
        if number:
            self._frontier.enlist()
        return number

    @property
    def _redis(self) -> Any:
        return self._frontier.redis


def decode_waiting(reply: Sequence[Any]) -> WaitingDelivery:
    """Return a delivery of the reply of the script ``deliveries``."""
    name, attempts, worker, wait, reason, entry = reply
    delivery = Delivery(name.decode("utf-8", "replace"), decode_page(entry), attempts, {})
    try:
        last = str(json.loads(reason.decode("utf-8", "replace")))
    except ValueError:
        last = "unreadable"
    return WaitingDelivery(delivery, worker.decode("utf-8", "replace"), wait / 1_000, last)


def decode_undelivered(raw: bytes) -> UndeliveredLetter:
    """Return the dead letter of a delivery."""
    at, name, attempts, _, _, entry, handed, reason = json.loads(raw.decode("utf-8", "replace"))
    page = decode_page(json.dumps(entry).encode()) if entry else None
    return UndeliveredLetter(Delivery(name, page, attempts, handed or {}), reason, at / 1_000)
