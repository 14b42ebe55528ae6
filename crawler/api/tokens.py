"""Tokens: a client that shows one may use the API. They are kept as digests, so that none can reach
a log or a traceback.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from ..errors import SetupError

_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class Tokens:
    """The tokens that are accepted."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = tuple(sha256(token.encode()).digest() for token in tokens)

    @classmethod
    def load(cls, tokens: Iterable[str], file: Path | None, pattern: re.Pattern[str]) -> Tokens:
        """Return ``tokens`` with those of ``file``, which has one per line, each of ``pattern``.

        Raises:
            SetupError: there is none, or the file cannot be read or holds something else.
        """
        tokens = [*tokens, *(read_tokens(file, pattern) if file else ())]
        if not tokens:
            raise SetupError(
                "the jobs API has no token: set CRAWLER_API_TOKENS or CRAWLER_API_TOKENS_FILE (for"
                ' example to the output of: python -c "import secrets;'
                ' print(secrets.token_urlsafe(32))")'
            )
        return cls(tokens)

    def holder(self, authorization: str) -> str | None:
        """Return a short name for the holder of the token in the header ``authorization``; None if
        it is no token of ours.

        Takes the same time whichever token is right, and wherever a wrong one begins to differ.
        """
        match = _BEARER.fullmatch(authorization)
        digest = sha256((match[1] if match else "").encode("utf-8", "surrogatepass")).digest()
        equal = [hmac.compare_digest(digest, known) for known in self._digests]
        return sha256(digest).hexdigest()[:16] if match and any(equal) else None


def read_tokens(file: Path, pattern: re.Pattern[str]) -> Iterator[str]:
    """Return the tokens of ``file``; ``#`` begins a comment.

    Raises:
        SetupError: it cannot be read, or a line is not of ``pattern``.
    """
    try:
        lines = file.read_text("ascii").splitlines()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no ASCII"
        raise SetupError(f"the tokens in {file} cannot be read: {reason}") from error
    for number, line in enumerate(lines, 1):
        if token := line.partition("#")[0].strip():
            if not pattern.fullmatch(token):
                raise SetupError(
                    f"line {number} of {file} is no token: 16 to 256 letters, digits and -._~+/="
                )
            yield token
