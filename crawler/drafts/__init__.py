"""A definition of a crawl, drafted from pages of its site: `crawler generate`.

Belongs here: where a text stands on a page, the selectors that find it, which of them will last,
and the definition as TOML or Python. Does not: how pages are loaded, and what is asked of whom.
"""
