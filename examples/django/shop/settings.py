"""Settings of the example: what every project has, and below it what the crawler asks for."""

import os
from pathlib import Path

from celery.schedules import crontab

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("SHOP_SECRET_KEY", "for-the-example-only")
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "crawler.contrib.django",
    "crawler.contrib.django.store",  # optional: tables for results
    "catalogue",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": os.environ.get("SHOP_DATABASE", BASE_DIR / "db.sqlite3"),
    "OPTIONS": {"timeout": 20},
}
# where PGHOST names a server; it is found by PGUSER, PGPASSWORD and the like (psycopg)
POSTGRESQL = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": os.environ.get("PGDATABASE", "shop"),
}
DATABASES = {
    # a crawl that a view starts begins when the view's transaction is committed
    "default": {**(POSTGRESQL if "PGHOST" in os.environ else SQLITE), "ATOMIC_REQUESTS": True}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "UTC"

# What the crawler asks for
CRAWLER = {
    "REDIS_URL": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
    "FLOWER_URL": "http://127.0.0.1:5555/",
}
CELERY_BROKER_URL = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/1")
CELERY_BROKER_TRANSPORT = "crawler.tasks.transport:Transport"
CELERY_TASK_ROUTES = {"crawler.*": {"queue": "crawler"}}
CELERY_BEAT_SCHEDULE = {
    "books-each-night": {
        "task": "crawler.start",
        "schedule": crontab(hour="2", minute="0"),
        "args": ["books"],
        "kwargs": {"if_exists": "restart"},  # begin again; a crawl that still runs goes on
    },
    # on the project's own queue: it needs no browser
    "store-results": {"task": "crawler_store.store", "schedule": 30.0},
}

# Where the shop is that it crawls: examples/demo/serve.py
SHOP_URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8765/")
SHOP_DELAY = float(os.environ.get("SHOP_DELAY", "0.5"))  # seconds between two pages
