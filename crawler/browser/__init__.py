"""Chrome: where it is, a warm session on it, one page after another, and the live page that hooks
see.

What is true of navigation, and was measured, is told where it is dealt with: ``navigate.py`` (what
document is there?), ``driver.py`` (what if there is no answer?), ``local.py`` (what if we die?).
Nothing here knows the frontier or the environment.
"""
