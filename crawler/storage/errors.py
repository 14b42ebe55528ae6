"""The one place where an error of Redis or its client becomes one of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions as faults

from ..errors import (
    FrontierError,
    FrontierMisfit,
    FrontierMistyped,
    FrontierRefused,
    FrontierUnavailable,
)
from ..redaction import masked

#: First words of an error reply that mean: not now.
UNAVAILABLE = (
    "LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "MISCONF", "NOREPLICAS",
    "UNKILLABLE", "CLOSED",
)  # fmt: skip
#: The error of a script whose keys are on their way to another node of the Cluster.
MOVING = "access a non local key"
FULL = (
    "Redis is full (maxmemory reached); nothing was changed: give it more memory, or clear crawls"
    " that are over"
)
#: The first words of the error that nothing was answered.
NO_ANSWER = "Redis does not answer"
#: The first words of redis-py's error when it found no Cluster.
NO_NODE = "Redis Cluster cannot be connected. Please provide at least one reachable node: "


@contextmanager
def redis_errors() -> Iterator[None]:
    """Raise what Redis or its client raises in this block as an error of ours.

    Raises:
        FrontierUnavailable: no answer; it is not known whether the step was done. Every step of the
            frontier may be repeated.
        FrontierRefused: the crawl's status, or a full Redis, does not allow it; nothing was
            changed.
        FrontierMisfit: the keys are not a crawl's, or those of another version.
    """
    try:
        yield
    except (
        faults.ConnectionError,
        faults.TimeoutError,
        faults.ClusterError,
        faults.RedisClusterException,
        faults.ReadOnlyError,
        faults.TryAgainError,
    ) as error:
        raise FrontierUnavailable(explain_error(error)) from error
    except faults.NoPermissionError as error:
        raise FrontierMisfit(explain_error(error)) from error
    except faults.OutOfMemoryError as error:
        raise FrontierRefused(FULL) from error
    except faults.ResponseError as error:
        translated = translate_reply(error)
        if translated is None:
            raise
        raise translated from error


@contextmanager
def redis_unavailable() -> Iterator[None]:
    """Raise every error of Redis or its client in this block as one: for keys that hold no crawl.

    Raises:
        FrontierUnavailable: Redis does not answer, or not as it should.
    """
    try:
        yield
    except (faults.RedisError, faults.RedisClusterException) as error:
        raise FrontierUnavailable(explain_error(error)) from error


def translate_reply(error: Exception) -> FrontierError | None:
    """Return the error of ours that an error reply means; None if it is a fault of this program."""
    text = str(error)
    word, _, rest = text.partition(" ")
    if word in ("MISSING", "REFUSED"):
        return FrontierRefused(rest.split(" script:")[0])
    if word == "MISFIT":
        return FrontierMisfit(rest.split(" script:")[0])
    if word == "OOM" or "OOM command not allowed" in text:
        return FrontierRefused(FULL)
    if "WRONGTYPE" in text:
        return FrontierMistyped(f"a key has the name of one of ours, but not its type: {text}")
    if MOVING in text:
        return FrontierUnavailable(
            "the Cluster is moving this crawl to another node; that ends by itself"
        )
    if word in UNAVAILABLE:
        return FrontierUnavailable(f"Redis cannot do it now: {first_sentence(text)}")
    return None


def nothing_listens(error: BaseException | None) -> bool:
    """Whether ``error`` came of an address where no server is, rather than one in trouble."""
    while error is not None:
        if isinstance(error, ConnectionRefusedError | FileNotFoundError):
            return True
        error = error.__cause__ or error.__context__
    return False


def first_sentence(text: str) -> str:
    """Return the first sentence of what Redis answered: some of its answers are long."""
    return text.partition(". ")[0]


def explain_error(error: Exception) -> str:
    """Return why Redis could not be talked to, in one sentence that its reader can act on."""
    text = " ".join(masked(str(error)).split()).removeprefix(NO_NODE)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("verify failed: ")[2].partition(" (_ssl")[0] or text
        return (
            f"Redis shows a certificate that is not trusted ({why}): add ?ssl_ca_certs=FILE to its"
            " URL, with who signed it"
        )
    if isinstance(error, faults.AuthenticationError):
        return f"Redis refuses the log-in: {text}"
    if isinstance(error, faults.NoPermissionError):
        return f"Redis does not let the user of its URL do this: {text}"
    if isinstance(error, faults.ResponseError) or text.startswith("MISCONF"):
        return f"Redis cannot do it now: {first_sentence(text)}"
    return f"{NO_ANSWER}: {text}"
