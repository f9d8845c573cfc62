"""Apache's configuration: what our sites say, and what it must leave to others. Pure.

PRIVATE to the collection.
"""
