"""Frameworks that crawls live in, and load generators.

Belongs here: what fits crawls into somebody else's program. Each part needs a library that the
crawler itself does not. Does not: anything that the crawler imports.
"""
