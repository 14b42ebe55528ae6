"""What a crawl costs beside what Chrome costs: pages per second, processor time and memory, next to
a floor and a limit.
"""
