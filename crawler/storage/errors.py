"""Turn what Redis and its client raise into errors of ours, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions as faults

from ..errors import FrontierMisfit, FrontierRefused, FrontierUnavailable
from ..redaction import masked

#: First words of an error reply that mean: not now.
UNAVAILABLE = (
    "LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "MISCONF", "NOREPLICAS", "UNKILLABLE", "CLOSED",
)  # fmt: skip
#: What a script is told whose keys are on their way to another node of the Cluster.
MOVING = "access a non local key"
FULL = (
    "Redis is full (maxmemory reached); nothing was changed: give it more memory, or clear crawls"
    " that are over"
)
#: How redis-py begins to say why it found no Cluster.
NO_NODE = "Redis Cluster cannot be connected. Please provide at least one reachable node: "


@contextmanager
def redis_errors() -> Iterator[None]:
    """Raise what Redis or its client raises in this block as an error of ours.

    Raises:
        FrontierUnavailable: no answer; nobody knows whether the step was done, and every one of
            them may be repeated.
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
        word, _, rest = str(error).partition(" ")
        if word in ("MISSING", "REFUSED"):
            raise FrontierRefused(rest.split(" script:")[0]) from error
        if word == "MISFIT":
            raise FrontierMisfit(rest.split(" script:")[0]) from error
        if word == "OOM" or "OOM command not allowed" in str(error):
            raise FrontierRefused(FULL) from error
        if "WRONGTYPE" in str(error):
            raise FrontierMisfit(
                f"a key has the name of one of ours, but not its type: {error}"
            ) from error
        if MOVING in str(error):
            raise FrontierUnavailable(
                "the Cluster is moving this crawl to another node; that ends by itself"
            ) from error
        if word in UNAVAILABLE:
            raise FrontierUnavailable(f"Redis cannot do it now: {error}") from error
        raise


def explain_error(error: Exception) -> str:
    """Why a server could not be talked to, in one sentence that its reader can act on."""
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
    return f"Redis does not answer: {text}"
