"""How far one machine goes: more worker processes, and more runs in flight, on browsers that cost
nothing.
"""
