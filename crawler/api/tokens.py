"""Who may use the API: whoever shows one of its tokens. They are kept as digests, so that none can
reach a log or a traceback.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from ..errors import SetupError

_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class Tokens:
    """The tokens that are accepted."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = tuple(sha256(token.encode()).digest() for token in tokens)

    @classmethod
    def load(cls, given: Iterable[str], file: Path | None, form: re.Pattern[str]) -> Tokens:
        """Those ``given`` and those of ``file``, one per line; each must be of ``form``.

        Raises:
            SetupError: there is none, or the file cannot be read or holds something else.
        """
        tokens = list(given)
        if file:
            try:
                lines = file.read_text("ascii").splitlines()
            except (OSError, UnicodeError) as error:
                raise SetupError(
                    f"the tokens in {file} cannot be read:"
                    f" {getattr(error, 'strerror', None) or 'no ASCII'}"
                ) from error
            for number, line in enumerate(lines, 1):
                if token := line.partition("#")[0].strip():
                    if not form.fullmatch(token):
                        raise SetupError(
                            f"line {number} of {file} is no token: 16 to 256 letters, digits and"
                            " -._~+/="
                        )
                    tokens.append(token)
        if not tokens:
            raise SetupError(
                "the jobs API has no token: set CRAWLER_API_TOKENS or CRAWLER_API_TOKENS_FILE (for"
                ' example to the output of: python -c "import secrets;'
                ' print(secrets.token_urlsafe(32))")'
            )
        return cls(tokens)

    def holder(self, authorization: str) -> str | None:
        """A short name for the holder of the token in the header ``authorization``; None if it is
        no token of ours.

        Takes the same time whichever token is right, and wherever a wrong one begins to differ.
        """
        match = _BEARER.fullmatch(authorization)
        shown = sha256((match[1] if match else "").encode("utf-8", "surrogatepass")).digest()
        found = [hmac.compare_digest(shown, digest) for digest in self._digests]
        return sha256(shown).hexdigest()[:16] if match and any(found) else None
