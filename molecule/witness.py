"""What the sites of a host answer and what Apache's files are: noted, compared, and watched while something changes.

Runs on the host itself, where each of its addresses is reachable. Standard library only. Beside it lie ``ca.pem``, what was
noted, and ``questions.json``: lists ``addresses``, ``schemes``, ``hosts``, ``methods`` and ``paths``, all of which are combined.
The address ``own`` is the one that the host's name stands for, the host ``""`` is none by name, and ``watched`` are the hosts
to watch, by default all.

    witness.py note             note all answers and files
    witness.py answers          print the questions that are answered otherwise than noted, with both answers
    witness.py files            print the paths that are otherwise than noted, with both facts
    witness.py watch            ask for the start pages until SIGTERM, then write how often it was otherwise
    witness.py ask ADDRESS URL  print what a client that trusts ca.pem gets
"""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import os
import signal
import socket
import ssl
import stat
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
APACHE = Path("/etc/apache2")
KEPT_HEADERS = ("content-type", "location", "www-authenticate", "x-content-type-options")
TIMEOUT = 5
# Made once, and without the system's authorities, which take longer to read than a request takes.
ANY_CERTIFICATE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANY_CERTIFICATE.check_hostname, ANY_CERTIFICATE.verify_mode = False, ssl.CERT_NONE


class Question(NamedTuple):
    """One request."""

    address: str
    scheme: str
    host: str
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.scheme}://{self.host}{self.path} at {self.address}"


def questions() -> list[Question]:
    """All of them."""
    lists = load("questions")
    parts = [lists[name] for name in ("addresses", "schemes", "hosts", "methods", "paths")]
    return [Question(*item) for item in itertools.product(*parts)]


def load(name: str) -> dict[str, Any]:
    """What lies beside this file under a name."""
    return dict(json.loads((HERE / f"{name}.json").read_text()))


def connect(address: str, scheme: str, host: str, context: ssl.SSLContext) -> http.client.HTTPConnection:
    """A connection to an address, whatever the name. Raises OSError."""
    literal = socket.gethostbyname(socket.gethostname()) if address == "own" else address
    connection = http.client.HTTPConnection(literal, timeout=TIMEOUT)
    connection.sock = socket.create_connection((literal, 443 if scheme == "https" else 80), TIMEOUT)
    if scheme == "https":
        connection.sock = context.wrap_socket(connection.sock, server_hostname=host or None)
    return connection


def ask(question: Question) -> list[object]:
    """Status, some headers, digest of the body and of the certificate; or the name of the error."""
    try:
        connection = connect(question.address, question.scheme, question.host, ANY_CERTIFICATE)
        try:
            certificate = connection.sock.getpeercert(binary_form=True) if question.scheme == "https" else b""
            body = b"<x/>" if question.method == "POST" else None
            connection.request(question.method, question.path, body, {"Host": question.host or connection.host})
            answer = connection.getresponse()
            headers = [answer.getheader(name) for name in KEPT_HEADERS]
            digests = [hashlib.sha256(text or b"").hexdigest()[:16] for text in (answer.read(), certificate)]
            return [answer.status, headers, *digests]
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as exc:
        return [type(exc).__name__]


def answers() -> dict[str, object]:
    """All answers by question."""
    return {str(question): ask(question) for question in questions()}


def files() -> dict[str, object]:
    """Kind, mode, owner and content of everything in Apache's directory, by path."""
    return {str(path): facts(path) for path in (APACHE, *sorted(APACHE.rglob("*")))}


def facts(path: Path) -> list[object]:
    """Those of one path."""
    found = path.lstat()
    content = ""
    if stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)
    elif stat.S_ISREG(found.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    return [stat.filemode(found.st_mode), found.st_uid, found.st_gid, content]


def note() -> None:
    """Keep what is now."""
    (HERE / "answers.json").write_text(json.dumps(answers(), indent=1))
    (HERE / "files.json").write_text(json.dumps(files(), indent=1))


def differences(name: str, now: dict[str, object]) -> dict[str, list[object]]:
    """What is otherwise than noted: what it was and what it is, by key."""
    before = load(name)
    keys = {**before, **now}
    return {key: [before.get(key), now.get(key)] for key in keys if before.get(key) != now.get(key)}


def watch() -> None:
    """Ask for the start pages until SIGTERM; then write how many requests there were, and which were answered otherwise."""
    result = HERE / "watched.json"
    result.unlink(missing_ok=True)
    noted = load("answers")
    hosts = load("questions").get("watched")
    pages = [one for one in questions() if (one.method, one.path) == ("GET", "/") and (hosts is None or one.host in hosts)]
    # A port where nobody listened may get somebody.
    answered = [one for one in pages if len(noted[str(one)]) > 1]
    asked = 0
    lost: list[str] = []

    def stop(_number: int, _frame: object) -> None:
        result.write_text(json.dumps({"asked": asked, "lost": len(lost), "first_lost": lost[:20]}))
        sys.exit()

    signal.signal(signal.SIGTERM, stop)
    for question in itertools.cycle(answered):
        answer = ask(question)
        asked += 1
        if answer != noted[str(question)]:
            lost.append(f"{question}: {answer}")
        time.sleep(0.01)


def fetch(address: str, url: str) -> dict[str, object]:
    """What a client that looks at certificates gets: ``status``, ``headers`` and ``body``, or ``error``."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        connection = connect(address, parts.scheme, host, ssl.create_default_context(cafile=str(HERE / "ca.pem")))
        try:
            connection.request("GET", parts.path or "/", headers={"Host": host})
            answer = connection.getresponse()
            headers = {key.lower(): value for key, value in answer.getheaders()}
            return {"status": answer.status, "headers": headers, "body": answer.read().decode("utf-8", "replace")}
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as exc:
        return {"error": f"{type(exc).__name__}: {exc}"}


def main(command: str, *arguments: str) -> None:
    """One of the commands above."""
    if command == "note":
        note()
    elif command == "watch":
        watch()
    elif command == "ask":
        print(json.dumps(fetch(*arguments)))
    else:
        print(json.dumps(differences(command, {"answers": answers, "files": files}[command]()), indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
