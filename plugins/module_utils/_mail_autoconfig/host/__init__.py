"""The only rooms that read or change the host.

PRIVATE to the collection.
"""
