"""Requests of Outlook, made from a seed and mutated: the responder reads in them what an XML parser reads."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from .conftest import Lua, Script

XML = "/autodiscover/autodiscover.xml"
SETTINGS = "<Autodiscover><LoginName>%EMAILADDRESS%</LoginName><Server>%EMAILDOMAIN%</Server></Autodiscover>\n"
DOMAINS = {"server.tld": "server.tld", "bücher.example": "xn--bcher-kva.example", "straße.example": "xn--strae-oqa.example"}
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006"
COUNT = 2500
# RFC 5321 dot-string and RFC 6531, in as many bytes as an address has at most.
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\xa0-\U0010ffff-]+")
_QUOTED = re.compile(r'\A"([^"]+)"\Z')
_SECTION = re.compile(r"<!\[CDATA\[(.*?)\]\]>|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_OWN_ENTITY = re.compile(r"&(?!(amp|lt|gt|quot|apos);)\w+;")
_DECLARATIONS = ('<?xml version="1.0" encoding="utf-8"?>', "<?xml version='1.0' encoding='utf-16'?>\r\n", "<?xml version='1.0'?>")
_DOCTYPES = (
    "<!DOCTYPE Autodiscover>",
    '<!DOCTYPE a SYSTEM "x>y">',
    "<!DOCTYPE a [<!-- it's -->]>",
    '<!DOCTYPE a [<!ENTITY b "<EMailAddress>no@server.tld</EMailAddress>"> <!-- it\'s > -->]>',
    "<!DOCTYPE a [\n<!ELEMENT a ANY><?b \"?><!ATTLIST a b CDATA '>'>\n]\n>",
)
_BETWEEN = (
    "",
    "",
    " ",
    "\r\n\t",
    "<!-- <EMailAddress>no@server.tld</EMailAddress> -->",
    "<?b <EMailAddress>no@server.tld</EMailAddress>?>",
    "<![CDATA[<EMailAddress>no@server.tld</EMailAddress>]]>",
    "<EMailAddressX>no@server.tld</EMailAddressX>",
    "<LegacyDN>/o=x/cn=no@server.tld</LegacyDN>",
    "<a b='&lt;' c=\"'>\" EMailAddress='no@server.tld'/>",
    "EMailAddress>no@server.tld",
    "<EMailAddress/>no@server.tld",
    "<EMailAddress ></EMailAddress>",
)
_ATTRIBUTES = ("", "", "", " ", "\r\n", " a='b'", ' a = "\'>"', " a='/'", " EMailAddress='>x@server.tld'")
_PREFIXES = ("", "", "", "n:", "A-b_c.d:", "ü:")
_ADDRESSES = (
    *("jo@server.tld", "Jo.Doe+x@SERVER.tld", "o'neil&co@server.tld", "a%b@server.tld", '"jo"@server.tld'),
    *("jö@BÜCHER.example", "jo@xn--bcher-kva.example", "\U0001f4e7@straße.example"),
    *("jo@foreign.tld", "jo doe@server.tld", "jo<x@server.tld", "jo@server.tld@x", "@server.tld", "jo", ""),
)
_SCHEMAS = (OUTLOOK + "a", OUTLOOK + "a", OUTLOOK.upper(), OUTLOOK.replace("outlook", "mobilesync"), "urn:x", "")
_SPLICES = (
    *("<", ">", "&", '"', "'", "/", "!", "?", "[", "]", "-", ":", ";", " ", "\n", "\0", "\x85", "\ufffe", "@", "%", "|", "="),
    *("<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<!", "/>", "</", "&#64;", "&#0;", "&#xD83D;", "&#", "&b;", "&amp;#64;"),
    *("<EMailAddress>", "</EMailAddress>", "<EMailAddress", "<n:EMailAddress>no@server.tld</n:EMailAddress>", "\U0001f4e7", "ü"),
)
_ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")


class Read(NamedTuple):
    """What a body asks for: the first address that is not empty, and whether for another schema than Outlook's."""

    address: str
    other_schema: bool


def bodies(seed: int) -> Iterator[bytes]:
    """Bodies without end, the same for the same seed; most are well-formed, because most requests are."""
    dice = random.Random(seed)  # noqa: S311 (no secret depends on it)
    while True:
        text = _document(dice)
        for _time in range(dice.choice((0, 0, 0, 1, 2, 6))):
            index = dice.randrange(len(text) + 1)
            text = text[:index] + dice.choice(_SPLICES) + text[index + dice.choice((0, 0, 1, 15)) :]
        body = text.encode(dice.choice(_ENCODINGS), "surrogatepass")
        if dice.random() < 0.05:
            index = dice.randrange(len(body))
            body = body[:index] + dice.randbytes(dice.choice((0, 1, 3))) + body[index + 1 :]
        yield body


def _document(dice: random.Random) -> str:
    def one(choices: tuple[str, ...]) -> str:
        return dice.choice(choices)

    parts = [one(_BETWEEN)]
    for name, values in (("EMailAddress", _ADDRESSES), ("AcceptableResponseSchema", _SCHEMAS)):
        for _time in range(dice.choice((0, 1, 1, 1, 1, 2))):
            prefix = one(_PREFIXES)
            written = _written(dice, one(values))
            parts += [f"<{prefix}{name}{one(_ATTRIBUTES)}>{written}</{prefix}{name}{dice.choice(('', ' '))}>", one(_BETWEEN)]
    if dice.random() < 0.2:
        dice.shuffle(parts)
    prolog = one(_DECLARATIONS) + one(("", "", "\n", "<!-- <a> -->")) if dice.random() < 0.8 else ""
    prolog += one(_DOCTYPES) if dice.random() < 0.1 else ""
    content = "".join(parts)
    return f"{prolog}<Autodiscover xmlns='urn:x' xmlns:n='urn:n' xmlns:A-b_c.d='u' xmlns:ü='u'>{content}</Autodiscover>"


def _written(dice: random.Random, value: str) -> str:
    """A text in one of the many ways that XML has."""
    pieces = []
    odd = dice.random() < 0.4
    for letter in value:
        kind = dice.random() if odd else 1
        plain = {"&": "&amp;", "<": "&lt;", "'": dice.choice("'&").replace("&", "&apos;")}.get(letter, letter)
        if kind < 0.1:
            zeros = "0" * dice.choice((0, 0, 2, 20))
            plain = dice.choice((f"&#{zeros}{ord(letter)};", f"&#x{zeros}{ord(letter):x};", f"&#x{ord(letter):X};"))
        elif kind < 0.15:
            plain = f"<![CDATA[{letter}]]>"
        elif kind < 0.2:
            plain += dice.choice(("<!-- x -->", "<!----><![CDATA[]]>", "<?x <a>?>", "<!-- </EMailAddress> -->"))
        pieces.append(plain)
    if odd and dice.random() < 0.2:
        pieces.insert(dice.randrange(len(pieces) + 1), dice.choice(("<a/>", "<a>x</a>", "&#xD;", " ", "&#10;")))
    blank = dice.choice(("", "", "", " ", "\r\n    ", "&#xD;\n", "&#32;", "<![CDATA[ ]]>"))
    return f"{blank}{''.join(pieces)}{blank}"


def parsed(body: bytes) -> Read | None:
    """What an XML parser reads; None where there is nothing to read: not well-formed, or entities of its own."""
    try:
        text = body.decode(_encoding(body)).removeprefix("\ufeff")
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError):
        return None
    if "<!ENTITY" in text and _OWN_ENTITY.search(text):
        return None
    texts: dict[str, list[str]] = {"EMailAddress": [], "AcceptableResponseSchema": []}
    for element in root.iter():
        local_name = element.tag.rpartition("}")[2]
        if local_name in texts:
            texts[local_name].append((element.text or "").strip(" \t\r\n"))
    schemas = texts["AcceptableResponseSchema"]
    # The schema anywhere in what is no comment is taken for a sign of Outlook.
    other = (
        bool(schemas)
        and OUTLOOK not in _SECTION.sub(r"\1", text)
        and not next(filter(None, schemas), "").lower().startswith(OUTLOOK)
    )
    return Read(next(filter(None, texts["EMailAddress"]), ""), other)


def _encoding(body: bytes) -> str:
    """XML 1.0, appendix F."""
    if body[:2] == b"\xfe\xff" or body[:1] == b"\0":
        return "utf-16-be"
    return "utf-16-le" if body[:2] == b"\xff\xfe" or body[1:2] == b"\0" else "utf-8"


def settings_for(address: str) -> tuple[str, str]:
    """The login name and the domain in ASCII; empty for no address of ours."""
    user, _at, domain = address.partition("@")
    user, domain = _QUOTED.sub(r"\1", user), domain.lower()
    known = {**DOMAINS, **{ascii_form: ascii_form for ascii_form in DOMAINS.values()}}
    if domain not in known or not _LOCAL_PART.fullmatch(user) or len(address.encode()) > 254 or re.search("[\ufffe\uffff]", user):
        return "", ""
    return f"{user}@{domain}", known[domain]


@pytest.fixture(scope="module")
def script(lua: Lua, tmp_path_factory: pytest.TempPathFactory) -> Script:
    return Script(lua, tmp_path_factory.mktemp("bodies"), tuple(DOMAINS.values()), {"autodiscover": SETTINGS})


def test_mutated_bodies_are_read_as_an_xml_parser_reads_them(script: Script) -> None:
    seen = {"not well-formed": 0, "settings": 0, "600": 0, "601": 0}
    for _number, body in zip(range(COUNT), bodies(seed=1), strict=False):
        answer = script.call("handle", method="POST", uri=XML, body=body)
        assert (answer.returned, answer.status, answer.log) == (0, 200, []), body
        root = ET.fromstring(answer.body)
        said = (root.findtext("LoginName") or "", root.findtext("Server") or "", root.findtext(".//{*}ErrorCode") or "")
        read = parsed(body)
        if read is None:
            seen["not well-formed"] += 1
            continue
        login, domain = settings_for(read.address)
        code = "601" if read.other_schema else "" if login else "600"
        assert said == ("" if code else login, "" if code else domain, code), body
        seen[code or "settings"] += 1
    # Each kind often enough that the test means something.
    assert min(seen.values()) > COUNT // 20, seen
