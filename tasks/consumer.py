"""Celery's consumer, which tells of runs more seldom, and of more of them at once."""

from __future__ import annotations

import time

from celery.worker import consumer

#: Seconds for which events are gathered before they are sent. Celery itself sends them two or three times in a run.
EVENTS_INTERVAL = 0.25


# Celery has no types: what is derived from it is Any.
class Consumer(consumer.Consumer):  # type: ignore[misc, unused-ignore]
    """What Flower sees of a run is up to a quarter of a second late, and costs less. Two dozen events are sent in any case."""

    _due = 0.0  # when what is gathered is sent, by the monotonic clock. A lost connection may take the timer along.

    def on_send_event_buffered(self) -> None:
        """An event waits: send it with those that come after it."""
        now = time.monotonic()
        if self.hub and now >= self._due:
            self._due = now + EVENTS_INTERVAL
            self.hub.call_later(EVENTS_INTERVAL, self._flush_events)

    def shutdown(self) -> None:
        """Send what was gathered, then end."""
        self._flush_events()
        super().shutdown()
