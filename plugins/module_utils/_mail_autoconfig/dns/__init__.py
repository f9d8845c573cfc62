"""The records that belong to the settings. Pure.

PRIVATE to the collection.
"""
