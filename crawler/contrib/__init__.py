"""Frameworks that crawls live in."""
