"""What Apache is asked around a change, and whether an answer is what it should be.

PRIVATE to the collection. Pure: ``host.asking`` asks. Ours must give the new bytes; the sites of others must answer as before.
"""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from .apache.dump import VirtualHost

# A name that nobody has (RFC 2606), to see what unknown names get.
UNKNOWN_HOST = "mail-autoconfig-unknown.invalid"
# So many sites of others are asked, and so many hosts of ours; each file with sites of ours is among them.
MANY = 60
# A site of others that takes longer is not compared: while a run asks, other runs wait.
NEIGHBOUR_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Question:
    """One request.

    :ivar scheme: ``http``, ``https``, or ``any`` for TLS if the port speaks it
    :ivar ip: address of the virtual host, ``*`` for any that Apache listens on
    :ivar seconds: how long its answer may take as a whole
    """

    scheme: str
    host: str
    port: int
    path: str = "/"
    ip: str = "*"
    method: str = "GET"
    body: bytes = b""
    seconds: float = 5.0

    def __str__(self) -> str:
        usual = {"http": 80, "https": 443}.get(self.scheme)
        scheme = "http" if self.scheme == "any" else self.scheme
        port = "" if self.port == usual else f":{self.port}"
        at = "" if self.ip == "*" else f" at {self.ip}"
        return f"{self.method} {scheme}://{self.host}{port}{self.path}{at}"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back.

    :ivar status: 0 where nothing came, and ``failure`` says why
    :ivar certificate: SHA-256 of the certificate that the host has shown (DER), hexadecimal; empty without TLS
    """

    status: int = 0
    location: str = ""
    media_type: str = ""
    body: bytes = b""
    certificate: str = ""
    failure: str = ""

    def __str__(self) -> str:
        if not self.status:
            return f"no answer ({self.failure})"
        return str(self.status) + (f" to {self.location}" if self.location else "")

    @property
    def words(self) -> str:
        """The shape as one string, which is equal where shapes are."""
        return repr(self.shape)

    @property
    def shape(self) -> tuple[t.Any, ...]:
        """What stays the same from one request to the next, also of a site that is made anew for each."""
        parts = urlsplit(self.location)
        return (self.status, (parts.scheme, parts.netloc, parts.path), self.media_type, self.certificate)


@dataclasses.dataclass(frozen=True)
class Expectation:
    """What a question should be answered.

    :ivar body: the very bytes; None for any
    :ivar beginning: what the body begins with
    :ivar certificate: see Answer; empty for any
    """

    question: Question
    status: int
    body: bytes | None = None
    beginning: bytes = b""
    location: str = ""
    certificate: str = ""

    def met_by(self, answer: Answer) -> bool:
        """Whether the answer is right."""
        return (
            answer.status == self.status
            and (self.body is None or answer.body == self.body)
            and answer.body.startswith(self.beginning)
            and answer.location == self.location
            and self.certificate in ("", answer.certificate)
        )

    def complaint(self, answer: Answer) -> str:
        """What is wrong with an answer that is not."""
        wanted = f"{self.status}" + (f" to {self.location}" if self.location else "")
        what = str(answer)
        if answer.status == self.status and answer.location == self.location:
            wrong_certificate = self.certificate not in ("", answer.certificate)
            what += " with another certificate" if wrong_certificate else " with other contents"
        return f"{self.question}: {what}, expected {wanted}"


def of_neighbours(hosts: t.Iterable[VirtualHost], plain_ports: t.Collection[int]) -> list[Question]:
    """One question for each virtual host of others, those first that share no file with one before; and for unknown names."""
    questions: list[Question] = []
    files: set[str] = set()
    later: list[Question] = []
    for host in hosts:
        if not host.port:
            continue
        scheme = "http" if host.port in plain_ports else "any"
        name = next((name for name in host.names if not set("*?") & set(name)), UNKNOWN_HOST)
        question = Question(scheme, name, host.port, ip=host.ip, seconds=NEIGHBOUR_SECONDS)
        (later if host.file in files else questions).append(question)
        files.add(host.file)
        if host.default:
            questions.append(Question(scheme, UNKNOWN_HOST, host.port, ip=host.ip, seconds=NEIGHBOUR_SECONDS))
    return list(dict.fromkeys([*questions, *later]))[:MANY]


def has_worked(answer: Answer) -> bool:
    """Whether an answer says anything of the site: one that fails may fail otherwise the next time."""
    return 0 < answer.status < 500
