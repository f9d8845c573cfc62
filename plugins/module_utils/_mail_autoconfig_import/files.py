"""Reading files of the host: bounded, and never anything but a file.

PRIVATE to the collection.
"""

from __future__ import annotations

import os
import stat

from .._mail_autoconfig import der
from .model import CannotTellError, CertificateFile, CertificateUse

_MOST_BYTES = 1024 * 1024
_MOST_NAMES = 100


def read(path: str) -> bytes:
    """The content. Raises CannotTellError."""
    try:
        # A pipe must not make us wait for somebody who writes into it.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as exc:
        raise CannotTellError(f"{path} cannot be read ({getattr(exc, 'strerror', None) or 'no such path'})") from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise CannotTellError(f"{path} is not a file")
        try:
            content = file.read(_MOST_BYTES + 1)
        except OSError as exc:
            raise CannotTellError(f"{path} cannot be read ({exc.strerror})") from None
    if len(content) > _MOST_BYTES:
        raise CannotTellError(f"{path} is larger than 1 MiB")
    return content


def lines_of(path: str) -> list[str]:
    """The lines of a text. Raises CannotTellError."""
    return read(path).decode("utf-8", "replace").splitlines()


def certificate(use: CertificateUse) -> CertificateFile | None:
    """The names in the first certificate of a file, in which a key may stand too; ``None`` for a key alone. Never raises."""
    try:
        content = read(use.file)
        found = der.in_pem(content)
        if not found:
            # Postfix has keys and certificates in one list of files.
            return None if b"PRIVATE KEY-----" in content else CertificateFile(use, problem="there is no certificate in it")
        first = der.certificate(found[0])
    except CannotTellError as exc:
        return CertificateFile(use, problem=str(exc))
    except der.DerError as exc:
        return CertificateFile(use, problem=f"it is not a certificate that can be read ({exc})")
    names = first.names or tuple(filter(None, (first.common_name,)))
    return CertificateFile(use, names[:_MOST_NAMES], "" if names else "there is no name of a host in it")
