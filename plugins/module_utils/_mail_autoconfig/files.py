"""Files of ours, each with what it is: nobody guesses that by a suffix.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib

FILE_MODE = 0o644


class Kind(enum.Enum):
    """What a file is to the host.

    Apache reads a ``CONFIGURATION`` and a ``SCRIPT`` (for mod_lua) when it starts, and a ``DOCUMENT`` at requests. A ``ZONE`` is
    zone text, which may hold records of several providers. A ``CERTIFICATE`` is half of a pair, a chain or its key, which Apache
    reads when it starts, as root, and nobody else.
    """

    DOCUMENT = "document"
    CONFIGURATION = "configuration"
    SCRIPT = "script"
    ZONE = "zone"
    CERTIFICATE = "certificate"

    @property
    def mode(self) -> int:
        """The permission bits of such a file."""
        return 0o600 if self is Kind.CERTIFICATE else FILE_MODE


@dataclasses.dataclass(frozen=True)
class File:
    """A file as it shall be.

    :ivar path: absolute path on the host
    :ivar enabled_in: ``sites`` or ``conf`` for a configuration file that is enabled there, else empty
    """

    path: str
    content: bytes
    kind: Kind
    enabled_in: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def link_name(self) -> str:
        """What ``a2ensite`` and ``a2enconf`` call a configuration file."""
        return self.name[: -len(".conf")]


def digest(content: bytes) -> str:
    """The digest that is kept of a file: SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()
