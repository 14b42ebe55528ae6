"""The broker, as ``doctor`` and ``health`` ask it. Only this module of theirs loads kombu."""

from __future__ import annotations

from kombu import Connection
from kombu.exceptions import OperationalError

from ..config.celery import sender_settings
from ..config.settings import Settings
from ..errors import SetupError
from ..redaction import masked


def reach_broker(settings: Settings) -> str:
    """Return the broker's URL, without its password, if the broker answers.

    It is asked through kombu's own transport, which is enough to connect: ours would load all that
    senders need.

    Raises:
        SetupError: it does not answer.
    """
    config = sender_settings(settings)
    url = settings.broker_url or ""
    connection = Connection(
        url if url.startswith("redis+socket://") else config["broker_url"],
        transport_options=config["broker_transport_options"],
        ssl=config.get("broker_use_ssl"),
    )
    with connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        except (OperationalError, *connection.connection_errors) as error:
            raise SetupError(f"the broker does not answer: {masked(str(error))}") from error
    return masked(settings.broker_url or "")
