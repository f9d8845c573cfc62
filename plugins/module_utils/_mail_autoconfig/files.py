"""Files of ours, each with what it is: nobody guesses that by a suffix.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import typing as t

FILE_MODE = 0o644


class Kind(enum.Enum):
    """What a file is to the host.

    Apache reads a ``CONFIGURATION`` and a ``SCRIPT`` (for mod_lua) when it starts, and a ``DOCUMENT`` at requests. A ``ZONE`` is
    zone text, which may hold records of several providers. A ``CERTIFICATE`` is half of a pair, a chain or its key, which Apache
    reads when it starts, as root, and nobody else. A ``SIGNING`` is the copy of a certificate that signs with its key, or of its
    chain, read at each signature by the web server's group; a renewal replaces it without a run. ``LOGINS`` are the login names
    of people, which the web server's group reads at requests.
    """

    DOCUMENT = "document"
    CONFIGURATION = "configuration"
    SCRIPT = "script"
    ZONE = "zone"
    CERTIFICATE = "certificate"
    SIGNING = "signing"
    LOGINS = "logins"

    @property
    def mode(self) -> int:
        """The permission bits of such a file."""
        return {Kind.CERTIFICATE: 0o600, Kind.SIGNING: 0o640, Kind.LOGINS: 0o640}.get(self, FILE_MODE)

    @property
    def is_secret(self) -> bool:
        """Whether nobody may be shown what is in it."""
        return self in (Kind.CERTIFICATE, Kind.SIGNING, Kind.LOGINS)


@dataclasses.dataclass(frozen=True)
class File:
    """A file as it shall be.

    :ivar path: absolute path on the host
    :ivar enabled_in: ``sites`` or ``conf`` for a configuration file that is enabled there, else empty
    :ivar gid: the group that it belongs to; -1 for any
    """

    path: str
    content: bytes
    kind: Kind
    enabled_in: str = ""
    gid: int = -1

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def link_name(self) -> str:
        """What ``a2ensite`` and ``a2enconf`` call a configuration file."""
        return self.name[: -len(".conf")]


def enabled(files: t.Iterable[File]) -> dict[str, tuple[str, ...]]:
    """The names of those that are enabled, by where."""
    found: dict[str, list[str]] = {}
    for file in files:
        if file.enabled_in:
            found.setdefault(file.enabled_in, []).append(file.link_name)
    return {kind: tuple(sorted(names)) for kind, names in found.items()}


def digest(content: bytes) -> str:
    """The digest that is kept of a file: SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()
