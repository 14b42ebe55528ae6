"""Flower's settings: ``crawler flower`` starts it with them, as does ``celery -A crawler.tasks.app
flower --conf=…``. Flower's own ``FLOWER_*`` variables come on top.

It is installed as ``crawler/config/flowerconfig.py``, and needs nothing else of the package.
"""

import os
from ast import literal_eval
from pathlib import Path
from typing import Any

#: Where it listens. Flower's own default is every interface; `--address` says otherwise.
address = "127.0.0.1"


def password_log_in(path: str) -> list[str]:
    """Return the log-in of the user `flower`, whose password is in the file ``path``: for secrets
    that come as files.
    """
    try:
        password = Path(path).read_text().strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SystemExit(f"FLOWER_PASSWORD_FILE: {path} cannot be read: {why}") from None
    if not password:
        raise SystemExit(
            f"FLOWER_PASSWORD_FILE: {path} is empty; Flower does not start without a log-in"
        )
    return [f"flower:{password}"]


# Without a log-in anybody who reaches the port could stop workers. Flower itself takes a provider
# without FLOWER_AUTH for no log-in at all.
if _file := os.environ.get("FLOWER_PASSWORD_FILE"):
    basic_auth = password_log_in(_file)
elif _log_ins := os.environ.get("FLOWER_BASIC_AUTH"):
    if not all(all(part.partition(":")[::2]) for part in _log_ins.split(",")):
        raise SystemExit(
            "FLOWER_BASIC_AUTH: must be user:password, or several of them with commas between"
        )
elif not all(map(os.environ.get, ("FLOWER_AUTH", "FLOWER_AUTH_PROVIDER"))):
    raise SystemExit(
        "FLOWER_BASIC_AUTH: is not set (for example: someone:a-long-password), nor is"
        " FLOWER_PASSWORD_FILE, nor are FLOWER_AUTH and FLOWER_AUTH_PROVIDER; Flower does not start"
        " without a log-in"
    )

#: Seconds; a page takes from a tenth of a second to minutes.
task_runtime_metric_buckets = [
    *(0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0),
    float("inf"),
]

#: Tasks kept in memory, about 3 KB each.
max_tasks = 20_000

#: Seconds after which a worker that went away leaves the list; containers come and go under new
#: names.
purge_offline_workers = 3_600

#: Milliseconds to wait for a worker's answer: its timer may be busy with a tick.
inspect_timeout = 3_000.0

tasks_columns = "name,state,args,result,received,runtime,worker,uuid"

#: Keep what was seen over a restart, in the file `db` (FLOWER_DB). It is read as pickle: no other
#: user may write it.
persistent = True
db = "flower.db"
#: Milliseconds between two times that it is saved.
state_save_interval = 60_000


def format_task(task: Any) -> Any:
    """Return a run as a line that fits its columns: the crawl; status, depth, time and URL of its
    page, or the reason why it has none.
    """
    if task.name != "crawler.run":
        return task
    if task.args:
        task.args = task.args.removeprefix("('").removesuffix("',)")
    if task.exception and not task.result:
        task.result = task.exception
        return task
    try:
        result = literal_eval(task.result)
        if "status" in result:
            task.result = (
                f"{result['status']}, depth {result['depth']}, {result['ms']} ms, {result['url']}"
            )
        elif "url" in result:
            task.result = (
                f"tried again: {result['reason']}, attempt {result['attempt']}, {result['url']}"
            )
        else:
            task.result = result["outcome"]
    except (ValueError, SyntaxError, TypeError, KeyError):
        pass  # cut off because it is long, or not there yet: as it is
    return task


# Flower reads its variables first, and this file would win.
for _name in [name for name in os.environ if name.startswith("FLOWER_")]:
    globals().pop(_name.removeprefix("FLOWER_").lower(), None)
