"""Reports for other eyes than a terminal's: a page, a test result, figures for monitoring. Pure: data in, text out.

PRIVATE to the collection. The data is that of ``model.py``. Names, answers and certificates come from outside: everything is
escaped, and characters that no reader can show are replaced.
"""

from __future__ import annotations

import re

# Control characters, what reverses the direction of a text, surrogates, and what XML cannot carry.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]")


def shown(text: object) -> str:
    """A value as one line that shows all of itself."""
    return harmless(" ".join(str(text).split()))


def harmless(line: str) -> str:
    """A line without characters that a terminal obeys or a reader does not see."""
    return _UNSHOWN.sub("\ufffd", line)
