"""The kinds of failure by which failed pages are counted.

Their reasons are chosen by sites and hooks, and are without number; kinds are few.

The same as ``kind_of`` in ``lua/lib/core.lua``, for those who choose pages by kind.
"""

from __future__ import annotations

import re

from ..model import FailureClass

#: The name of all kinds beyond those that a crawl counts.
OTHER = "other"
#: Characters of a word, and of the name of an error's type.
WORD_MAX, TYPE_MAX = 40, 60
#: Decisions of hooks, by the class of failure: each reason is a kind.
DECISIONS = {FailureClass.RETRY: "retry: ", FailureClass.THROTTLE: "blocked: "}
#: Steps whose errors are no hook's class of failure.
ERROR_STEPS = frozenset({"after", "internal"})
#: HTTP statuses that are kinds of their own; the others are ``http_4xx`` and the like.
STATUSES = frozenset({*range(400, 432), 451, *range(499, 512), *range(520, 531)})

_ERROR = re.compile(r"([A-Za-z0-9_]+): ([A-Za-z_][A-Za-z0-9_.]*)")
_WORD = re.compile(r"([A-Za-z0-9_]+)(?:: |\Z)")
_STATUS = re.compile(r"http_([0-9]{3})")


def kind_of(failure: FailureClass, reason: str) -> str:
    """Return the kind of a failure of the class ``failure``: a word (``timeout``), ``http_503``,
    the step and the type of an error (``extract: ValueError``), or the decision of a hook
    (``retry: half loaded``).
    """
    decision = DECISIONS.get(failure)
    if decision and reason.startswith(decision):
        return reason
    error = _ERROR.match(reason)
    if error and (failure is FailureClass.HOOK or error[1] in ERROR_STEPS):
        step, name = error.groups()
        if len(step) <= WORD_MAX:
            return f"{step}: {name if len(name) <= TYPE_MAX else OTHER}"
    word = _WORD.match(reason)
    if not word or len(word[1]) > WORD_MAX:
        return failure.value
    status = _STATUS.fullmatch(word[1])
    if status and int(status[1]) not in STATUSES:
        return f"http_{status[1][0]}xx"
    return word[1]


def is_rest(kind: str) -> bool:
    """Whether ``kind`` counts what was counted under no kind of its own."""
    return kind == OTHER or kind.endswith(f": {OTHER}")
