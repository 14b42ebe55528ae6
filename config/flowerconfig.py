"""Flower's settings, for ``celery -A crawler.tasks.app flower --conf=…``. Flower's own ``FLOWER_*`` variables come on top."""

import os

#: Who may look. Without one of these anybody who reaches the port could stop workers.
AUTHENTICATION = ("FLOWER_BASIC_AUTH", "FLOWER_AUTH", "FLOWER_AUTH_PROVIDER")
if not any(map(os.environ.get, AUTHENTICATION)):
    raise SystemExit(
        "FLOWER_BASIC_AUTH: is not set (for example: someone:a-long-password); Flower does not start without a log-in"
    )

#: Seconds; a page takes from a tenth of a second to minutes.
task_runtime_metric_buckets = [
    0.1,
    0.25,
    0.5,
    1.0,
    2.0,
    3.0,
    5.0,
    8.0,
    13.0,
    20.0,
    30.0,
    45.0,
    60.0,
    90.0,
    120.0,
    180.0,
    float("inf"),
]

#: Tasks kept in memory, about 3 KB each.
max_tasks = 20_000

#: Seconds after which a worker that went away leaves the list; containers come and go under new names.
purge_offline_workers = 3_600

#: Milliseconds to wait for a worker's answer: its timer may be busy with a tick.
inspect_timeout = 3_000.0

tasks_columns = "name,uuid,state,args,result,received,started,runtime,worker"
