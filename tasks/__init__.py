"""The Celery shell around the library."""
