"""Readers of the documents that clients read: strict, bounded, and without a client's opinion.

PRIVATE to the collection. Each takes octets of a stranger and gives a frozen value, or raises :class:`DocumentError` with a
stable code. What a client makes of the value is in ``clients``.
"""

from __future__ import annotations

# The largest answer that is read at all is bounded in ``web``; no settings need more than this.
LARGEST = 1 << 20


class DocumentError(ValueError):
    """Why a document cannot be read.

    :ivar code: ``empty``, ``html``, ``not_xml``, ``doctype``, ``too_deep``, ``too_large``, ``not_json``, ``not_plist``,
        ``not_signed`` or ``wrong_root``
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)
