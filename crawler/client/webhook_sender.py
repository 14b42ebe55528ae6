"""The sender of webhooks: a signed message, by HTTP, that a job has ended; at least once."""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

from ..errors import CrawlerError
from ..model import Json
from ..net.fetch import FetchError, fetch
from ..net.guard import Guard, Resolve, system_resolve
from ..observe.logs import logger
from ..redaction import masked
from .webhooks import Webhooks

log = logger(__name__)

#: Seconds that a receiver has for its response, and bytes of it that are read.
TIMEOUT, RESPONSE_MAX = 10.0, 4_096
#: Attempts at one message, and seconds before the second one; they double, up to an hour: three and
#: a half hours in all.
ATTEMPTS, BACKOFF, BACKOFF_CAP = 12, 10.0, 3_600.0
#: Seconds after which a job that has not ended is looked at again; its end is mostly told before.
LOOK_INTERVAL = 60.0
#: Messages that one process sends at once.
SENDERS = 8

#: Returns the message on the end of a job: its id, no two ends have the same, and its content; None
#: if the job has not ended.
EndOf = Callable[[str], tuple[str, Json] | None]


class WebhookSender:
    """Sends the ``webhooks`` of jobs that have ended by ``end_of``, signed with ``secret``.

    ``resolve`` is asked for the addresses of a receiver: all must be public, unless the webhook was
    ordered at a server that allows private ones. Redirects are not followed.
    """

    def __init__(
        self,
        webhooks: Webhooks,
        end_of: EndOf,
        secret: str | None,
        resolve: Resolve = system_resolve,
    ) -> None:
        self._webhooks, self._end_of, self._secret = webhooks, end_of, secret
        self._resolve = resolve
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send what is due, in a thread, unless that is under way. A receiver may take its
        time.
        """
        if (self._thread is None or not self._thread.is_alive()) and self._webhooks.due():
            self._thread = threading.Thread(
                target=self._send_all, name="crawler-webhooks", daemon=True
            )
            self._thread.start()

    def join(self) -> None:
        """Wait until what was due is sent."""
        if self._thread:
            self._thread.join()

    def _send_all(self) -> None:
        try:
            with ThreadPoolExecutor(SENDERS, "crawler-webhook") as pool:
                list(pool.map(self._try, self._webhooks.due()))
        except CrawlerError as error:
            log.warning("webhooks: %s", error)

    def _try(self, id: str) -> None:  # noqa: A002
        try:
            with self._webhooks.locked(id) as mine:
                if mine:
                    self._send(id)
        except CrawlerError as error:
            log.warning("webhook of the job %s: %s", id, error)
        except Exception:
            log.exception("webhook of the job %s", id)

    def _send(self, id: str) -> None:  # noqa: A002
        """Tell the end of the job ``id``, if it has ended; look at it again later if it has not, or
        if the receiver did not take the message.
        """
        webhooks = self._webhooks
        end, progress = self._end_of(id), webhooks.progress(id)
        if progress is None:
            webhooks.look_no_more(id)
            return
        if end is None:
            webhooks.look_again(id, LOOK_INTERVAL)
            return
        event, content = end
        again = progress.event == event  # else it was re-opened, and has ended again
        if not again or progress.state == "pending":
            attempts = progress.attempts + 1 if again else 1
            reason = self._post(progress.url, event, content, private=progress.private)
            gone = "failed" if attempts >= ATTEMPTS else "pending"
            state = gone if reason else "delivered"
            webhooks.note(id, event, state, attempts, reason)
            if reason:
                words = "the webhook of the job %s was not taken (attempt %d of %d): %s"
                log.warning(words, id, attempts, ATTEMPTS, reason)
            if state == "pending":
                webhooks.look_again(id, min(BACKOFF * 2 ** (attempts - 1), BACKOFF_CAP))
                return
        webhooks.look_no_more(id)
        if (later := self._end_of(id)) and later[0] != event:  # it has ended again meanwhile
            webhooks.look_again(id, 0.0)

    def _post(self, url: str, event: str, content: Json, *, private: bool) -> str | None:
        """Send one message; return why it was not taken, or None."""
        if self._secret is None:
            return "this worker has no CRAWLER_WEBHOOK_SECRET"
        body = json.dumps(content, separators=(",", ":")).encode()
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "Crawler-Event": event,
            "Crawler-Timestamp": timestamp,
            "Crawler-Signature": sign(self._secret, timestamp, body),
        }
        addresses = None if private else Guard((), resolve=self._resolve).addresses
        try:
            answer = fetch(
                url,
                timeout=TIMEOUT,
                max_bytes=RESPONSE_MAX,
                headers=headers,
                addresses=addresses,
                body=body,
                redirects=0,
            )
        except FetchError as error:
            return masked(error.reason)
        return None if 200 <= answer.status < 300 else f"status {answer.status}"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of ``body``, sent at ``timestamp``: HMAC-SHA256, in hexadecimal."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, sha256).hexdigest()
