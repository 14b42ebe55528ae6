"""The ways out of this machine: guard, gateway, proxies, robots.txt, and plain HTTP.

Belongs here: connections that are not Chrome's own, and Chrome's flags for the network. Does not:
what a URL means (``urls/``), Chrome itself (``browser/``).
"""
