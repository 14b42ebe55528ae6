"""Check each message before the worker looks at it: whoever can write to the broker can write
anything, and Celery's own code expects the right types.

A message is rebuilt from the parts that are checked, so nothing else of it reaches the worker: no
callbacks, no chain, no time limits, no compression, no place to reply to. One that is refused has
left the queue already, and does not come back.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from ..model import CRAWL_NAME
from ..observe.logs import logger
from ..redaction import masked
from ..text.printable import printable

log = logger(__name__)

#: Bytes that a message may have.
MESSAGE_MAX = 65_536
#: Seconds by which a message may be early: a worker keeps those that are, and not many of them.
ETA_MAX = 300.0
#: Characters of an id, a name, or a value for tracing.
WORD_MAX = 255
#: Lines about refused messages between two ticks; further ones are counted only.
LINES_MAX = 10

TICKET = re.compile(r"[A-Za-z0-9-]{1,64}")
TASK_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,200}")
IF_EXISTS = re.compile(r"[a-z]{1,10}")
#: Arguments that may be None.
MAY_BE_NONE = ("ticket", "if_exists")
#: The tasks of this project, with the names of their arguments, the first of which must be given,
#: and the form of each.
TASKS: dict[str, dict[str, Any]] = {
    "crawler.run": {"crawl": CRAWL_NAME, "ticket": TICKET},
    "crawler.start": {"crawl": CRAWL_NAME, "if_exists": IF_EXISTS, "reset": bool},
    "crawler.tick": {},
    "crawler.echo": {"token": TICKET},
}
#: Celery's own tasks run others that their message names.
CELERY_TASKS = "celery."
#: Headers that link spans.
TRACE_HEADERS = ("traceparent", "tracestate", "baggage")
#: Ways to choose workers that a remote command may name; by a regular expression is none of them.
MATCHERS = (None, "glob")
#: The last year of a time that is understood.
YEAR_MAX = 2200


class Refused(Exception):
    """A message is not of the form that the workers of this project read; the text says why."""


def checked_task(message: Any, queue: str) -> dict[str, Any]:
    """Return the ``message``, which came by ``queue``, with no other parts than those checked.

    Raises:
        Refused: it asks for no task in the form of this project.
    """
    headers, body, properties = _parts(message)
    task = _word(headers, "task", required=True)
    if not TASK_NAME.fullmatch(task):
        raise Refused("the header task is no name")
    if task.startswith(CELERY_TASKS):
        raise Refused(f"{task} would run what the message names")
    arguments, keywords = _arguments(body)
    if task.startswith("crawler."):
        check_arguments(task, arguments, keywords)
    own = _word(headers, "id", required=True)
    # a ticket says nothing to people, in the log and in Flower
    shown = repr(tuple(arguments[:1] if task in TASKS else arguments))[:WORD_MAX]
    return {
        "body": _encoded([arguments, keywords, NO_CALLBACKS]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {
            "lang": "py",
            "task": task,
            "id": own,
            "root_id": _word(headers, "root_id") or own,
            "parent_id": _word(headers, "parent_id") or None,
            "eta": _eta(headers.get("eta")),
            "expires": _time(headers, "expires"),
            "retries": 0,
            "timelimit": [None, None],
            "argsrepr": shown,
            "kwargsrepr": repr(keywords)[:WORD_MAX],
            "origin": _word(headers, "origin"),
            "ignore_result": True,
            **{name: _word(headers, name, 2_048) for name in TRACE_HEADERS if name in headers},
        },
        "properties": {
            "correlation_id": own,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": _priority(properties.get("priority")),
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),  # two messages with one tag would be taken for one
        },
    }


def checked_command(message: Any) -> dict[str, Any]:
    """Return the ``message`` of remote control, if a worker can read it.

    Raises:
        Refused: it is no command.
    """
    headers, body, properties = _parts(message)
    if not isinstance(body, dict):
        raise Refused("a command is no object")
    if not isinstance(body.get("method"), str):
        raise Refused("a command without a name")
    if not isinstance(body.get("arguments") or {}, dict):
        raise Refused("the arguments of a command are no object")
    destination = body.get("destination")
    if destination is not None and not _are_words(destination):
        raise Refused("the destination of a command is no list of names")
    if body.get("matcher") not in MATCHERS:
        raise Refused("a command's matcher is unknown")
    for name in ("pattern", "ticket"):
        _word(body, name)
    reply = body.get("reply_to")
    if reply is not None:
        if not isinstance(reply, dict):
            raise Refused("the reply_to of a command is no object")
        for name in ("exchange", "routing_key"):
            _word(reply, name, required=True)
    return {
        "body": _encoded(body),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {
            name: value
            for name, value in headers.items()
            if name in ("clock", "expires") and type(value) in (int, float)
        },
        "properties": {
            "delivery_mode": 1,
            "delivery_info": _delivery_info(properties),
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }


#: The third part of a task's body: what Celery would do next.
NO_CALLBACKS: dict[str, None] = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))


def check_arguments(task: str, arguments: list[Any], keywords: dict[str, Any]) -> None:
    """Raise Refused unless ``arguments`` and ``keywords`` are those of the task of ours."""
    forms = TASKS.get(task)
    if forms is None:
        raise Refused(f"there is no task {task}")
    if len(arguments) > len(forms) or not keywords.keys() <= forms.keys():
        raise Refused(f"the arguments of {task} are others")
    given = dict(zip(forms, arguments, strict=False))
    if given.keys() & keywords.keys() or (forms and next(iter(forms)) not in given | keywords):
        raise Refused(f"the arguments of {task} are others")
    for name, value in (given | keywords).items():
        form = forms[name]
        if form is bool:
            right = isinstance(value, bool)
        else:
            right = isinstance(value, str) and form.fullmatch(value) is not None
        if not right and not (name in MAY_BE_NONE and value is None):
            raise Refused(f"the argument {name} of {task} is not of its form")


def _parts(message: Any) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """Return the headers, the body (parsed) and the properties of ``message``."""
    if not isinstance(message, dict):
        text = message if isinstance(message, str) and message.startswith(OVERSIZE) else ""
        raise Refused(text or "it is no object")
    headers, properties = message.get("headers"), message.get("properties")
    if not isinstance(headers, dict) or not isinstance(properties, dict):
        raise Refused("its headers or properties are no objects")
    if message.get("content-type") != "application/json":
        raise Refused("its content is no JSON")
    if message.get("content-encoding") not in ("utf-8", "UTF-8", "utf8"):
        raise Refused("its text is no UTF-8")
    if headers.get("compression"):
        raise Refused("it is compressed")
    return headers, _decoded(message.get("body"), properties.get("body_encoding")), properties


def _decoded(body: Any, encoding: Any) -> Any:
    if not isinstance(body, str) or encoding not in ("base64", None):
        raise Refused("its body is no text, or of an unknown encoding")
    try:
        text = base64.b64decode(body, validate=True) if encoding else body
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("its body is not encoded as it says, or no JSON") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and the like


def _encoded(body: Any) -> str:
    try:
        return base64.b64encode(json.dumps(body).encode()).decode()
    except (ValueError, RecursionError):
        raise Refused("its body cannot be written") from None


def _arguments(body: Any) -> tuple[list[Any], dict[str, Any]]:
    if not isinstance(body, list) or len(body) != 3:
        raise Refused("its body is not that of a task")
    arguments, keywords, _ = body
    if not isinstance(arguments, list) or not isinstance(keywords, dict):
        raise Refused("its arguments are no list and no object")
    return arguments, keywords


def _word(
    values: dict[str, Any], name: str, limit: int = WORD_MAX, *, required: bool = False
) -> str:
    """Return the short text ``name`` of ``values``; "" if there is none."""
    value = values.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or len(value) > limit or (required and not value):
        raise Refused(f"its {name} is no short text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refused(f"its {name} holds half a character") from None
    return value


def _are_words(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, str) and len(value) <= WORD_MAX for value in values
    )


def _delivery_info(properties: dict[str, Any]) -> dict[str, str]:
    """Return where a command came by; gossip reads it."""
    where = properties.get("delivery_info")
    where = where if isinstance(where, dict) else {}
    return {name: _word(where, name) for name in ("exchange", "routing_key")}


def _priority(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= 9 else 0


def _time(headers: dict[str, Any], name: str) -> str | None:
    """Return the time ``name``, as Celery writes it, with its zone."""
    text = _word(headers, name, 64)
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        if not 1970 < aware.year < YEAR_MAX:
            raise ValueError(text)
        return aware.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise Refused(f"its {name} is no time") from None


def _eta(text: Any) -> str | None:
    eta = _time({"eta": text}, "eta")
    if eta and datetime.fromisoformat(eta) > datetime.now(UTC) + timedelta(seconds=ETA_MAX):
        raise Refused(f"its eta is more than {ETA_MAX:g} s away")
    return eta


#: The beginning of the text that stands for a message that is too large.
OVERSIZE = "it has more than "


def sized(item: bytes | str) -> bytes | str:
    """Return ``item``, a message as it comes from Redis, or JSON that stands for one too large."""
    if len(item) <= MESSAGE_MAX:
        return item
    return json.dumps(f"{OVERSIZE}{MESSAGE_MAX} bytes: {len(item)}").encode()


class Refusals:
    """The messages that this worker has refused since they were last counted in Redis."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new = 0
        self._lines = 0
        self._unshown: Counter[str] = Counter()

    def add(self, queue: str, why: str) -> None:
        """Count a message that came by ``queue``, and say in a line ``why`` it was refused."""
        why = printable(masked(why))[:WORD_MAX]
        with self._lock:
            self._new += 1
            self._lines += 1
            if self._lines > LINES_MAX:
                self._unshown[why] += 1
                return
        log.warning("a message in the queue %s was refused: %s", printable(queue)[:80], why)

    def take(self) -> int:
        """Return the number of messages that were refused since the last call, and say in a line
        how many of them had none.
        """
        with self._lock:
            new, unshown = self._new, self._unshown
            self._new, self._lines, self._unshown = 0, 0, Counter()
        if unshown:
            reasons = ", ".join(f"{why} ({number})" for why, number in unshown.most_common(3))
            log.warning("%d more messages were refused: %s", unshown.total(), reasons)
        return new


#: The refused messages of this process.
refusals = Refusals()
