"""A certification authority for tests and the demonstration: openssl makes it, nobody trusts it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """A root certificate and what it signs, in one directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        if not self.certificate.exists():
            _openssl(
                *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=Test authority"),
                *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
                *("-keyout", str(self._key), "-out", str(self.certificate)),
            )

    def issue(self, directory: Path, names: Iterable[str]) -> None:
        """Write ``fullchain.pem`` and ``privkey.pem`` for the names into a directory, as certbot does."""
        directory.mkdir(parents=True, exist_ok=True)
        listed = list(names)
        request, extensions = directory / "request.pem", directory / "extensions"
        key, chain = directory / "privkey.pem", directory / "fullchain.pem"
        alternatives = ",".join(f"DNS:{name}" for name in listed)
        extensions.write_text(f"subjectAltName={alternatives}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        _openssl(
            *("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={listed[0]}"),
            *("-keyout", str(key), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial"),
            *("-days", "20", "-extfile", str(extensions), "-out", str(chain)),
        )
        request.unlink()
        extensions.unlink()


if __name__ == "__main__":
    Authority(Path(sys.argv[1])).issue(Path(sys.argv[2]), sys.argv[3:])
