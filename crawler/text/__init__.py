"""Text that strangers wrote: made fit for Redis and files, and for people's terminals and logs.

Pure functions on text; what is secret in a text is the matter of ``redaction``.
"""
