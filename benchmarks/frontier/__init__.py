"""The cost of the frontier: server time per operation and bytes per URL, from ten thousand known
URLs to ten million.
"""
