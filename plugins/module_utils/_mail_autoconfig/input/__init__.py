"""What the administrator says, read and checked.

PRIVATE to the collection.
"""
