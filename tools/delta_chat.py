"""A real Delta Chat without a screen, which sets itself up from an address and a password and logs in.

It asks one name server of the test's own. It trusts the authorities that are compiled into it and no others (webpki-roots,
in src/net/tls.rs of chatmail/core); neither an option nor the system's store adds one. So the program that runs is a copy of
it in which bytes of two kinds are replaced, each by as many: the name of one authority by that of the test authority, and the
keys of all that have one of its length by its key. Everything that it does with them is its own: chains, names and dates are
verified as ever.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import select
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .resolver import with_name_server

# Contents of the distinguished name C=US, O=Amazon, CN=Amazon Root CA 1, which tools.certificates.SUBJECT is as long as.
_NAME = bytes.fromhex("310b3009060355040613025553310f300d060355040a1306416d617a6f6e3119301706035504031310") + b"Amazon Root CA 1"
# Contents of the SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) of an RSA key of 2048 bits with the exponent 65537.
_KEY = re.compile(
    re.escape(bytes.fromhex("300d06092a864886f70d01010105000382010f003082010a0282010100")) + b".{256}\x02\x03\x01\x00\x01",
    re.DOTALL,
)
_SECURITY = {"Tls": "tls", "Starttls": "starttls", "Plain": "none"}


class Server(NamedTuple):
    """A server that it has logged in to, or would try next; ``tls`` is ``tls``, ``starttls`` or ``none``."""

    host: str
    port: int
    tls: str
    username: str


class Account(NamedTuple):
    """What came of an address and a password.

    :ivar error: what it tells the user; empty if it has set itself up and logged in
    :ivar servers: by ``imap`` and ``smtp``, in the order in which it tries them; of one host and port there are two where it
        has not been told which TLS mode is right
    """

    error: str
    servers: dict[str, list[Server]]


class DeltaChat:
    """A Delta Chat that asks one name server (on port 53; needs root) and trusts one authority (PEM).

    Raises ValueError if the program cannot be made to trust the authority.
    """

    def __init__(self, directory: Path, authority: Path, name_server: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        program = directory / "delta-chat"
        program.write_bytes(_trusting(_program().read_bytes(), authority))
        program.chmod(0o755)
        self._command = [*with_name_server(directory, name_server), str(program)]

    def set_up(self, address: str, password: str, timeout: float = 90) -> Account:
        """Let it set itself up as a new user's; it remembers nothing of before. Raises TimeoutError."""
        with tempfile.TemporaryDirectory(dir=self._directory) as place:
            accounts = Path(place) / "accounts"
            with _started(self._command, accounts) as process:
                number = _call(process, timeout, "add_account")["result"]
                answer = _call(process, timeout, "add_or_update_transport", number, {"addr": address, "password": password})
            return Account(str(answer.get("error", {}).get("message", "")), _servers(accounts))


def _program() -> Path:
    package = importlib.util.find_spec("deltachat_rpc_server")
    if package is None or package.origin is None:
        raise FileNotFoundError("deltachat-rpc-server is not installed")
    return Path(package.origin).with_name("deltachat-rpc-server")


def _trusting(program: bytes, authority: Path) -> bytes:
    """The program with our authority in the place of one of its own."""
    certificate = x509.load_pem_x509_certificate(authority.read_bytes())
    # Of both the program has the contents without the header of the sequence, which is 2 and 4 bytes long.
    name = certificate.subject.public_bytes()[2:]
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)[4:]
    if len(name) != len(_NAME) or not _KEY.fullmatch(key):
        raise ValueError(f"{authority} has no name of {len(_NAME)} bytes and RSA key of 2048 bits")
    if _NAME not in program or not _KEY.search(program):
        raise ValueError("this version of deltachat-rpc-server has no authority that could be replaced")
    return _KEY.sub(lambda _found: key, program.replace(_NAME, name))


@contextlib.contextmanager
def _started(command: list[str], accounts: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {"DC_ACCOUNTS_PATH": str(accounts), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _call(process: subprocess.Popen[bytes], timeout: float, method: str, *parameters: Any) -> dict[str, Any]:
    """The answer to one request (JSON-RPC 2.0, one line each way); it says nothing that was not asked."""
    request, answer = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    request.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode() + b"\n")
    request.flush()
    if not select.select([answer], [], [], timeout)[0]:
        raise TimeoutError(f"Delta Chat does not answer {method} within {timeout:g} s")
    return dict(json.loads(answer.readline()))


def _servers(accounts: Path) -> dict[str, list[Server]]:
    """What it has written into its own database: what the interface tells is what the user has typed."""
    found: dict[str, list[Server]] = {}
    for file in accounts.glob("*/dc.db"):
        with contextlib.closing(sqlite3.connect(file)) as database:
            for (text,) in database.execute("SELECT configured_param FROM transports"):
                written = json.loads(text)
                found.update({protocol: [_server(each) for each in written[protocol]] for protocol in ("imap", "smtp")})
    return found


def _server(written: dict[str, Any]) -> Server:
    connection = written["connection"]
    return Server(connection["host"], connection["port"], _SECURITY[connection["security"]], written["user"])
