"""Hostile and odd requests for the responder, made from a seed, and what must hold for every answer.

A grammar of its own rather than random bytes alone: most requests are nearly right, because those reach the script.
"""

from __future__ import annotations

import json
import random
import socket
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tools.http_client import OUTLOOK_REQUEST

# Must never come back as it is: markup that a careless echo would turn into structure.
POISON = "<zz&\"zz'>"
HOST = "autodiscover.server.tld"
# A page that is XML, so that it can be judged as everything else is.
PAGE = '<!DOCTYPE html>\n<html data-state="%STATE%"><p>%EMAILADDRESS% %EMAILLOCALPART% %EMAILDOMAIN%</p></html>\n'
_PATHS = (
    "/autodiscover/autodiscover.xml",
    "/Autodiscover/Autodiscover.xml",
    "/AUTODISCOVER/AutoDiscover.XML",
    "/autodiscover/autodiscover.json",
    "/autodiscover/autodiscover.json/v1.0/{address}",
    "/autodiscover/autodiscover.json/V1.0/{address}",
    "/autodiscover/autodiscover.xml/x",
    "/autodiscover/%61utodiscover.xml",
    "/autodiscover/../autodiscover/autodiscover.xml",
    "/mail/config-v1.1.xml",
    "/mail.mobileconfig",
    "/mail.mobileconfig",
    "/",
    "/",
    "//autodiscover//autodiscover.xml",
)
_ADDRESSES = (
    "user@server.tld",
    "USER+tag@SERVER.TLD",
    "o'neil&co@server.tld",
    "üser@server.tld",
    "user@foreign.tld",
    "%EMAILADDRESS%@server.tld",
    "%EMAILLOCALPART%%EMAILDOMAIN%@server.tld",
    "a" * 64 + "@server.tld",
    "a" * 65 + "@server.tld",
    "user@" + "a." * 120 + "tld",
    f"{POISON}@server.tld",
    f"user@{POISON}",
    "user@server.tld\r\nX-Injected: 1",
    "user@server.tld|x",
    "@server.tld",
    "user@",
    "@",
    "",
    "user@server.tld@server.tld",
    '"quoted local"@server.tld',
    '"quoted"@server.tld',
    "user%40server.tld",
    "../../etc/passwd@server.tld",
    "\ud7ff\ue000@server.tld",
    "a%00b@server.tld",
)
_SCHEMAS = (
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a",
    "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006",
    POISON,
    "",
)
_TYPES = (
    "text/xml",
    "text/xml; charset=utf-8",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "",
    "x" * 300,
)
_SPLICES = (
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"&b;",
    b"<EMailAddress",
    b"</EMailAddress>",
    b"EMailAddress>",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?",
    b"?>",
    b"<n:EMailAddress a='>'/>",
    b"&#64;",
    b"&#x10FFFF;",
    b"\0",
    b"\xff",
    b"<",
    b">",
    b"  " * 500,
)


class Request(NamedTuple):
    """Bytes for the wire in pieces; a pause comes between them."""

    pieces: tuple[bytes, ...]
    pause: float = 0.0


def requests(seed: int) -> Iterator[Request]:
    """Requests without end, the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 (no secret depends on it)
    while True:
        yield _request(dice)


def _request(dice: random.Random) -> Request:
    address = dice.choice(_ADDRESSES)
    body = _body(dice, address)
    method = dice.choice(("POST", "POST", "POST", "GET", "GET", "HEAD", "PUT", "OPTIONS", "DELETE"))
    lines = [f"{method} {_target(dice, address)} HTTP/1.1", f"Host: {HOST}", "Connection: close"]
    lines += [f"Content-Type: {dice.choice(_TYPES)}"] * dice.choice((0, 1, 1))
    lines += [f"X-Odd-{number}: {'y' * dice.randrange(200)}" for number in range(dice.choice((0, 0, 0, 5, 40)))]
    lines += dice.choice(
        ([], [], ["Authorization: Basic dXNlcjpwYXNz"], ["Accept-Encoding: gzip"], ["Expect: 100-continue"], ["Range: bytes=0-9"])
    )
    has_body = method in ("POST", "PUT", "DELETE")
    if has_body and dice.random() < 0.1:
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:50], body[50:]) if part) + b"0\r\n\r\n"
        return Request((*_head(lines, "Transfer-Encoding: chunked"), chunks))
    if not has_body:
        return Request(_head(lines))
    head = _head(lines, f"Content-Length: {len(body)}")
    if dice.random() < 0.002:
        return Request((*head, *(body[index : index + 200] for index in range(0, len(body), 200))), 0.02)
    return Request((b"".join((*head, body)),))


def _head(lines: list[str], *more: str) -> tuple[bytes, ...]:
    return ("\r\n".join([*lines, *more, "", ""]).encode("utf-8", "replace"),)


def _target(dice: random.Random, address: str) -> str:
    def quoted(text: str) -> str:
        """Percent-encoded for the most part; what would end the request line always."""
        strict = dice.random() < 0.7
        kept = "@.+-_" if strict else "@.+-_%'\"<>&|*!$,;()"
        return "".join(
            char
            if char.isascii() and (char.isalnum() or char in kept)
            else "".join(f"%{b:02x}" for b in char.encode("utf-8", "replace"))
            for char in text
        )

    query = "&".join(
        dice.choice(("Email", "emailaddress", "email", "Protocol", "RedirectCount", "", "x" * 50))
        + dice.choice(("=", "=", ""))
        + quoted(dice.choice((address, "AutodiscoverV1", "ActiveSync", POISON, "%", "%zz")))
        for _number in range(dice.choice((0, 0, 1, 2, 5)))
    )
    if dice.random() < 0.01:
        query += "&" * 3000 + "a" * 3000
    return dice.choice(_PATHS).replace("{address}", quoted(address)) + (f"?{query}" if query else "")


def _body(dice: random.Random, address: str) -> bytes:
    escaped = address if dice.random() < 0.3 else address.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = OUTLOOK_REQUEST.format(address=escaped).replace(_SCHEMAS[0], dice.choice((_SCHEMAS[0], _SCHEMAS[0], *_SCHEMAS)))
    if dice.random() < 0.3:
        text = text.replace("<EMail", "<n:EMail").replace("</EMail", "</n:EMail")
    body = text.encode(dice.choice(("utf-8", "utf-8", "utf-8", "utf-16-le", "utf-16")), "replace")
    kind = dice.random()
    if kind < 0.1:
        return f"emailaddress={address}&x=%zz".encode("utf-8", "replace")
    if kind < 0.5:
        return body
    if kind < 0.8:
        for _time in range(dice.randrange(1, 5)):
            index = dice.randrange(len(body) + 1)
            splice = dice.choice(_SPLICES)
            body = body[:index] + splice + body[index + dice.choice((0, 0, 1, 20)) :]
        return body
    if kind < 0.9:
        return dice.randbytes(dice.randrange(600))
    if kind < 0.95:
        return dice.choice(
            (b"<EMailAddress>", b"<" * 4000, b"<a:" * 2000, b"EMailAddress" * 600, b" " * 9000, b"<EMailAddress>" + b" " * 8000)
        )
    return b"x" * dice.choice((16384, 16385, 40000))


def send(port: int, request: Request) -> bytes:
    """The whole answer. Raises OSError for a connection that the server breaks before it has answered."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.settimeout(20)
        try:
            for piece in request.pieces:
                connection.sendall(piece)
                time.sleep(request.pause)
        except (BrokenPipeError, ConnectionResetError):
            # The answer to a body that is too large comes before all of it is sent.
            pass
        answer = b""
        try:
            while data := connection.recv(65536):
                answer += data
        except ConnectionResetError:
            if not answer:
                raise
        return answer


def complaint(request: Request, answer: bytes) -> str:
    """What is wrong with an answer; empty if nothing is."""
    head, _blank, body = answer.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        head, _blank, body = body.partition(b"\r\n\r\n")
    status = int(head[9:12] or 0)
    lowered = head.lower()
    if not 200 <= status < 500:
        return f"status {status}"
    if b"x-injected" in lowered or b"lua" in lowered or (b"lua" in body.lower() and status == 200):
        return "a header injected, or a word of Lua"
    if POISON.encode() in body or b"<zz" in body:
        return "input came back unescaped"
    if status == 401:
        return "a challenge"
    if status == 200 and not request.pieces[0].startswith((b"HEAD", b"OPTIONS")) and b"content-encoding" not in lowered:
        try:
            if b"application/json" in lowered:
                json.loads(body)
            else:
                ET.fromstring(body)
        except (ET.ParseError, ValueError) as exc:
            return f"a body that is not well-formed: {exc}"
    return ""


def run(port: int, count: int, seed: int, threads: int = 4) -> dict[str, int]:
    """Send that many requests; how often each status came. Raises AssertionError with the first bad one."""

    def work(number: int) -> dict[str, int]:
        seen: dict[str, int] = {}
        for _index, request in zip(range(count // threads), requests(seed * 1000 + number), strict=False):
            answer = send(port, request)
            problem = complaint(request, answer)
            if problem:
                raise AssertionError(f"{problem}\n{request.pieces!r}\n{answer!r}")
            status = answer[9:12].decode()
            seen[status] = seen.get(status, 0) + 1
        return seen

    total: dict[str, int] = {}
    with ThreadPoolExecutor(threads) as pool:
        for seen in pool.map(work, range(threads)):
            for status, times in seen.items():
                total[status] = total.get(status, 0) + times
    return total
