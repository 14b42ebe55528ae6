"""The visit of a page before it is read: waits, scrolling, and steps such as clicks, declared as
data.

A step is a table with one action, and perhaps modifiers of it::

    steps = [
        {click = "#accept", optional = true},
        {fill = ["#q", "lamps"]}, {press = "Enter"}, {wait = "#results"},
        {click = "button.more", times = 20},
    ]

======  =================  =========================================================================
action  value              does
======  =================  =========================================================================
click   a selector         clicks the first element that matches
fill    [selector, text]   replaces the content of the field; the text stays out of logs and errors
choose  [selector, value]  picks the option with this value, or this text, of a list
press   a key              Enter, Tab, Escape, ArrowDown, …, or a character, where the focus is
wait    a selector         waits until something matches
until   an expression      waits until it is true
quiet   seconds            waits until nothing was loaded for so long
scroll  true               scrolls to the end, as long as the page grows
pause   seconds            does nothing; a wait for something is better
======  =================  =========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Steps that a crawl may have, and times that one of them may be done.
STEPS_MAX, TIMES_MAX = 100, 1_000
#: Seconds that a step may ask to wait.
STEP_TIMEOUT_MAX = 600.0
#: Seconds of quiet that a step, or ``wait_quiet``, may ask for.
QUIET_MAX = 60.0

ACTIONS = ("click", "fill", "choose", "press", "wait", "until", "quiet", "scroll", "pause")
MODIFIERS = ("optional", "times", "timeout")
_PAIRS = ("fill", "choose")
_SELECTORS = ("click", "wait")
_NUMBERS = ("quiet", "pause")


@dataclass(frozen=True, slots=True)
class Step:
    """One action. ``times`` repeats it as long as its element is there; an ``optional`` one may
    fail.

    ``timeout``: seconds to wait for the element or the condition; None: the crawl's
    ``wait_timeout``.
    """

    action: str
    css: str = ""
    value: Any = field(default=None, repr=False)  # of a form: perhaps a secret
    optional: bool = False
    times: int = 1
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """All that is done on a page before it is read, in this order. Times are seconds.

    ``wait_for``, ``wait_until`` and ``wait_quiet`` are awaited together, for ``wait_timeout`` in
    all; then, as long again, a response for each pattern of ``wait_for_response``.
    """

    wait_for: tuple[str, ...] = ()
    wait_until: str | None = None
    wait_quiet: float | None = None
    wait_for_response: tuple[str, ...] = ()
    wait_timeout: float = 10.0
    scroll: bool = False
    scroll_timeout: float = 30.0
    steps: tuple[Step, ...] = ()
    frames: str = "links"  # "inner" and "part": they are read, too
    screenshot: str | None = None  # "window" or "page"
    pdf: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        waits = (self.wait_for, self.wait_until, self.wait_quiet, self.wait_for_response)
        frames = self.frames in ("inner", "part")
        return any((*waits, self.scroll, self.steps, frames, self.screenshot, self.pdf))

    @property
    def watches(self) -> bool:
        """Whether the page's loading must be watched."""
        return self.wait_quiet is not None or any(step.action == "quiet" for step in self.steps)


def step_faults(steps: Any) -> list[str]:
    """Return all that is wrong with ``steps`` as an author wrote them, without a text that is to be
    filled in.
    """
    if not isinstance(steps, Sequence) or isinstance(steps, str | bytes):
        return ["is no list of steps"]
    if len(steps) > STEPS_MAX:
        return [f"has {len(steps)} steps, at most {STEPS_MAX} are done"]
    return [
        f"step {number} {what}" for number, step in enumerate(steps, 1) for what in _faults_of(step)
    ]


def _faults_of(step: Any) -> list[str]:
    if not isinstance(step, Mapping):
        return ["is no table with an action"]
    faults = []
    actions = [name for name in step if name in ACTIONS]
    if len(actions) != 1:
        faults.append(
            f"has {' and '.join(actions) or 'no action'}; it needs one of {', '.join(ACTIONS)}"
        )
    faults += [
        f"has {name!r}, which is neither an action ({', '.join(ACTIONS)}) nor one of"
        f" {', '.join(MODIFIERS)}"
        for name in step
        if name not in ACTIONS + MODIFIERS
    ]
    faults += [
        f"{name}: {what}" for name in actions if (what := _fault_of_action(name, step[name]))
    ]
    if not isinstance(step.get("optional", False), bool):
        faults.append("optional: is neither true nor false")
    times = step.get("times", 1)
    if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= TIMES_MAX:
        faults.append(f"times: is no whole number from 1 to {TIMES_MAX}")
    if "timeout" in step and not _is_number(step["timeout"], STEP_TIMEOUT_MAX):
        faults.append(f"timeout: is no number of seconds up to {STEP_TIMEOUT_MAX:g}")
    return faults


def _fault_of_action(name: str, value: Any) -> str | None:
    if name in _PAIRS:
        pair = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
        well = pair and all(isinstance(part, str) for part in value) and value[0].strip()
        return None if well else "needs a selector and a text, in a list of two"
    if name in _NUMBERS:
        limit = QUIET_MAX if name == "quiet" else STEP_TIMEOUT_MAX
        return None if _is_number(value, limit) else f"is no number of seconds up to {limit:g}"
    if name == "scroll":
        return None if value is True else "can only be true"
    if not isinstance(value, str) or not value.strip(" "):
        return "is no text"
    if name == "press" and len(value) > 1 and key_of(value) is None:
        return f"{value!r} is no key; there are: {', '.join(KEYS)}, or one character"
    return None


def _is_number(value: Any, limit: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= limit


def parse_steps(steps: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Return the steps that an author's tables mean. The tables have no faults."""
    return tuple(map(_parse_step, steps))


def _parse_step(step: Mapping[str, Any]) -> Step:
    (action,) = (name for name in step if name in ACTIONS)
    argument = step[action]
    if action in _PAIRS:
        css, value = argument
    elif action in _SELECTORS:
        css, value = argument, None
    else:
        css, value = "", argument
    return Step(action, css, value, **{name: step[name] for name in MODIFIERS if name in step})


#: Keys by the names that browsers give them, and the code points that WebDriver knows them by.
KEYS = {
    "Backspace": "\ue003", "Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c",
    "Space": "\ue00d", "PageUp": "\ue00e", "PageDown": "\ue00f", "End": "\ue010",
    "Home": "\ue011", "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014",
    "ArrowDown": "\ue015", "Delete": "\ue017",
}  # fmt: skip


def key_of(name: str) -> str | None:
    """Return the code point that WebDriver knows the key ``name`` by, or ``name`` if it is one
    character; None if there is no such key.
    """
    return KEYS.get(name) or (name if len(name) == 1 else None)
