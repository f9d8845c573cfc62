"""Questions over HTTP and HTTPS, each with an end, whatever answers.

PRIVATE to the collection. RFC 9110, 9112. One question is one connection (``Connection: close``), read by hand up to a size and a
moment, because ``http.client`` waits for each piece anew. What goes wrong is an :class:`Answer` with a code, never an exception.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import http.client
import io
import re
import ssl
import threading
import time
import typing as t
from urllib.parse import urljoin, urlsplit

from .connections import SENTENCES, Deadline, LinkError, failure, open_link
from .names import Names

# No document of settings has more (the ISPDB's largest has 6 KiB); a list of ten thousand domains would.
LARGEST_BODY = 1 << 20
_LARGEST_HEAD = 1 << 16
MOST_REDIRECTS = 10
# Those after which a client goes to another address.
REDIRECTS = (301, 302, 303, 307, 308)
USUAL_PORTS = {"http": 80, "https": 443}
_SHOWN = 200
_BLANK, _LAST_CHUNK = b"\r\n\r\n", b"\r\n0\r\n\r\n"

FAULTS = {
    "no_address": "the host has no address",
    "not_http": "what answers does not speak HTTP",
    "redirect_loop": "redirects without end",
    "redirect_nowhere": "redirects to what is no address of the web",
    "too_large": f"more than {LARGEST_BODY >> 20} MiB",
    **SENTENCES,
}


@dataclasses.dataclass(frozen=True)
class Question:
    """One request as a client makes it; header names as they are sent."""

    method: str
    url: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back for one request, without following redirects, or at the end of them.

    :ivar url: where it came from
    :ivar status: 0 if there was no answer
    :ivar headers: names in lower case
    :ivar fault: a key of :data:`FAULTS`, or empty
    :ivar hops: the answers before it that redirected
    :ivar dead: addresses of the host that did not answer while another did, with the key of why
    """

    url: str
    status: int = 0
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    fault: str = ""
    detail: str = ""
    milliseconds: int = 0
    hops: tuple[Answer, ...] = ()
    dead: tuple[tuple[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is a document."""
        return 200 <= self.status < 300 and not self.fault

    @property
    def media_type(self) -> str:
        """The type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def urls(self) -> tuple[str, ...]:
        """All that were asked on the way."""
        return (*(hop.url for hop in self.hops), self.url)

    @property
    def secure(self) -> bool:
        """Whether nobody on the way could change it: HTTPS from the first request to the last."""
        return all(url.startswith("https:") for url in self.urls)

    def __str__(self) -> str:
        what = FAULTS[self.fault] if self.fault else str(self.status)
        if not self.fault and self.status in REDIRECTS:
            what += f" to {printable(self.headers.get('location', ''))}"
        return what + (f" (after {len(self.hops)} redirects)" if self.hops else "")


def printable(text: str) -> str:
    """A string of a stranger for a message: short, without control characters."""
    shown = "".join(char if char.isprintable() else "?" for char in text[: _SHOWN + 1])
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."


class Web:
    """Asks, each question once; threads may share it.

    :arg ports: ports in place of the usual ones, for trials
    :arg timeout: seconds for one request, from the connection to the last octet
    """

    def __init__(
        self, names: Names, context: ssl.SSLContext, ports: t.Mapping[int, int] | None = None, timeout: float = 5
    ) -> None:
        self._names = names
        self._context = context
        self._ports = dict(ports or {})
        self._timeout = timeout
        self._known: dict[Question, concurrent.futures.Future[Answer]] = {}
        # Hosts and ports where nobody answers, and what was waited for it: every client waits as long, the check only once.
        self._dead: dict[tuple[str, int], Answer] = {}
        self._lock = threading.Lock()

    def port_of(self, url: str) -> int:
        """Where the host of a URL is asked. Raises ValueError."""
        parts = urlsplit(url)
        usual = USUAL_PORTS[parts.scheme]
        return parts.port or self._ports.get(usual, usual)

    def fetch(self, question: Question) -> Answer:
        """Ask and follow redirects as browsers and clients do: 301 to 303 make a POST a GET (RFC 9110 section 15.4)."""
        hops: list[Answer] = []
        answer = self.ask(question)
        while answer.status in REDIRECTS and "location" in answer.headers:
            hops.append(answer)
            target = _target(answer)
            if not target:
                return dataclasses.replace(answer, fault="redirect_nowhere", hops=tuple(hops[:-1]))
            if len(hops) >= MOST_REDIRECTS or target in [hop.url for hop in hops]:
                return dataclasses.replace(answer, fault="redirect_loop", hops=tuple(hops[:-1]))
            same = answer.status in (307, 308) or question.method in ("GET", "HEAD")
            headers = question.headers if same else ()
            question = Question(question.method if same else "GET", target, question.body if same else b"", headers)
            answer = self.ask(question)
        waited = answer.milliseconds + sum(hop.milliseconds for hop in hops)
        return dataclasses.replace(answer, hops=tuple(hops), milliseconds=waited)

    def ask(self, question: Question) -> Answer:
        """Ask without following redirects."""
        with self._lock:
            future = self._known.get(question)
            mine = future is None
            if future is None:
                future = self._known[question] = concurrent.futures.Future()
        if mine:
            future.set_result(self._ask(question))
        return future.result()

    def _ask(self, question: Question) -> Answer:
        began = time.monotonic()
        try:
            answer = self._exchange(question, Deadline(self._timeout))
        except (LinkError, OSError, ValueError, KeyError) as exc:
            fault = failure(exc) if isinstance(exc, (LinkError, OSError)) else None
            answer = Answer(question.url, fault=fault.code if fault else "redirect_nowhere", detail=fault.detail if fault else "")
        return dataclasses.replace(answer, milliseconds=answer.milliseconds or round((time.monotonic() - began) * 1000))

    def _exchange(self, question: Question, deadline: Deadline) -> Answer:
        """One request. Raises LinkError, OSError and, for a URL that is none, ValueError."""
        parts = urlsplit(question.url)
        host, port = (parts.hostname or ""), self.port_of(question.url)
        addresses = self._names.addresses(host)
        if not addresses:
            return Answer(question.url, fault="no_address")
        if (host, port) in self._dead:
            return dataclasses.replace(self._dead[host, port], url=question.url)
        began = time.monotonic()
        link, failures = open_link(host, addresses, port, self._context if parts.scheme == "https" else None, deadline)
        if link is None:
            exc = failures[-1][1]
            waited = round((time.monotonic() - began) * 1000)
            answer = Answer(question.url, fault=exc.code, detail=exc.detail, milliseconds=waited)
            self._dead[host, port] = answer
            return answer
        dead = tuple((address, exc.code) for address, exc in failures)
        with link.socket:
            link.socket.settimeout(deadline.left())
            link.socket.sendall(_request(question, parts.netloc))
            data, complete = _read(link.socket, deadline)
        return dataclasses.replace(_parsed(question, data, complete), dead=dead)


def _target(answer: Answer) -> str:
    """Where a redirect leads, without a fragment; empty if that is no URL of the web."""
    try:
        parts = urlsplit(urljoin(answer.url, answer.headers["location"].strip()))
        usable = parts.scheme in USUAL_PORTS and bool(parts.hostname) and parts.port != 0 and parts.geturl().isascii()
    except ValueError:
        return ""
    return parts._replace(fragment="").geturl() if usable and not re.search(r"[\s\x00-\x1f\x7f]", parts.geturl()) else ""


def _request(question: Question, netloc: str) -> bytes:
    parts = urlsplit(question.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    given = {name.lower() for name, _value in question.headers}
    headers = [("Host", netloc.rpartition("@")[2]), *question.headers, ("Connection", "close")]
    headers += [("Accept", "*/*")] if "accept" not in given else []
    headers += [("User-Agent", "mailops-autoconfig-check")] if "user-agent" not in given else []
    headers += [("Content-Length", str(len(question.body)))] if question.method == "POST" else []
    lines = [f"{question.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + question.body


def _read(link: t.Any, deadline: Deadline) -> tuple[bytes, bool]:
    """What the other side sends, and whether that was all of it. However small the pieces, no octet is looked at for each."""
    data = bytearray()
    head = end = 0  # where its head and the answer itself end, once that is known
    chunked = False
    while not (end and len(data) >= end) and not (chunked and data.endswith(_LAST_CHUNK)):
        if len(data) > LARGEST_BODY + _LARGEST_HEAD:
            return bytes(data), False
        link.settimeout(deadline.left())
        try:
            piece = link.recv(65536)
        except ssl.SSLEOFError:
            piece = b""  # closed without a farewell, as many do
        except ConnectionResetError:
            if not data:
                raise
            piece = b""
        if not piece:
            break
        known = max(len(data) - len(_BLANK) + 1, 0)
        data += piece
        if not head and (found := data.find(_BLANK, known)) >= 0:
            head = found + len(_BLANK)
            end, chunked = _framing(bytes(data[:head]))
    return bytes(data), True


def _framing(head: bytes) -> tuple[int, bool]:
    """Where the answer ends by its own word, or 0; and whether it ends with a last chunk. Neither: with the connection."""
    length = re.search(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", head, re.IGNORECASE)
    if length:
        return len(head) + int(length[1]), False
    bodiless = re.match(rb"HTTP/1\.[01] (?:204|304)", head)
    chunked = re.search(rb"\r\ntransfer-encoding:[ \t]*chunked", head, re.IGNORECASE)
    return (len(head) if bodiless else 0), bool(chunked)


class _Reader:
    """Octets in the place of a socket, for ``http.client``."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_arguments: t.Any) -> io.BytesIO:
        return io.BytesIO(self._data)


def _parsed(question: Question, data: bytes, complete: bool) -> Answer:
    response = http.client.HTTPResponse(t.cast(t.Any, _Reader(data)), method=question.method)
    try:
        response.begin()
        headers = {name.lower(): value.strip() for name, value in response.getheaders()}
        body = response.read()
    except http.client.IncompleteRead as exc:
        body = bytes(exc.partial)
    except (http.client.HTTPException, ValueError, OSError, OverflowError) as exc:
        return Answer(question.url, fault="not_http" if data else "reset", detail=printable(str(exc)))
    fault = "" if complete and len(body) <= LARGEST_BODY else "too_large"
    return Answer(question.url, response.status, headers, body[:LARGEST_BODY], fault=fault)
