"""Every reader of the check, fed with what strangers may send: a value or its own error, in bounded memory."""

from __future__ import annotations

import json
import plistlib
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import der
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import apple as apple_documents
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import outlook, thunderbird
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import pacc as pacc_documents
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import names, readers
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.clients import CLIENTS
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.parsing import (
    LARGEST,
    DocumentError,
    apple,
    autodiscover,
    mozilla,
    pacc,
    trees,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.check.conftest import Faulty

PROVIDER = Provider.for_domain("server.tld")
MOZILLA = thunderbird.render(PROVIDER).content
POX = outlook.render(PROVIDER, personal=True).content  # type: ignore[union-attr]
PROFILE = apple_documents.render(PROVIDER, personal=True)[1].content
PACC = pacc_documents.render(PROVIDER).content  # type: ignore[union-attr]
JSON = b'{"Protocol":"AutodiscoverV1","Url":"https://autodiscover.server.tld/autodiscover/autodiscover.xml"}'

READERS: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "Mozilla's file": (mozilla.read, MOZILLA),
    "Autodiscover": (autodiscover.read, POX),
    "Autodiscover's JSON": (autodiscover.read_json, JSON),
    "a profile": (apple.read, PROFILE),
    "PACC": (pacc.read, PACC),
}
WHO = readers.Who("anna@server.tld")


def read(reader: Callable[[bytes], Any], data: bytes) -> Any:
    """A value, or None with the reader's own error; and every client can do something with the value."""
    try:
        value = reader(data)
    except DocumentError:
        return None
    if isinstance(value, mozilla.Document):
        for client in CLIENTS:
            readers.from_mozilla(value, "text/xml", client.reader, WHO)
    elif isinstance(value, autodiscover.Document):
        for rules in ("thunderbird", "outlook", "delta", "fairemail"):
            readers.from_autodiscover(value, rules, WHO)
    elif isinstance(value, apple.Profile):
        readers.from_profile(value, WHO)
    elif isinstance(value, pacc.Document):
        readers.from_pacc(value)
    return value


@st.composite
def mutated(draw: st.DrawFn, original: bytes) -> bytes:
    """A document with some octets replaced, removed, repeated or put in."""
    data = bytearray(original)
    for _change in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, max(len(data) - 1, 0)))
        end = draw(st.integers(start, min(start + 60, len(data))))
        kind = draw(st.sampled_from(("replace", "remove", "repeat", "insert")))
        piece = draw(st.binary(max_size=12))
        if kind == "repeat":
            piece = bytes(data[start:end]) * 2
        data[start : end if kind != "insert" else start] = b"" if kind == "remove" else piece
    return bytes(data)


@pytest.mark.parametrize("name", READERS)
def test_what_we_publish_is_read(name: str) -> None:
    reader, original = READERS[name]
    assert read(reader, original) is not None


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_mutants(name: str, data: st.DataObject) -> None:
    reader, original = READERS[name]
    read(reader, data.draw(mutated(original)))


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=300))
def test_noise(name: str, data: bytes) -> None:
    read(READERS[name][0], data)


_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.floats()
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)
_KEYS = st.sampled_from(("protocols", "authentication", "imap", "host", "submit", "smtp", "password", "Protocol", "Url", "info"))


@settings(max_examples=150, deadline=None)
@given(value=st.dictionaries(_KEYS, _VALUES | st.dictionaries(_KEYS, _VALUES | st.dictionaries(_KEYS, _VALUES))))
def test_json_of_any_shape(value: Any) -> None:
    data = json.dumps(value).encode()
    read(pacc.read, data)
    read(autodiscover.read_json, data)


_PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
_CAPITALS = st.text(st.characters(min_codepoint=65, max_codepoint=90))
_PLIST = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**64 - 1) | _PRINTABLE | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_CAPITALS, inner),
)
_MAIL = st.sampled_from(("EmailAccountType", "IncomingMailServerPortNumber", "IncomingMailServerHostName", "PayloadUUID"))


@settings(max_examples=150, deadline=None)
@given(content=st.lists(st.dictionaries(_MAIL, _PLIST)), other=_PLIST)
def test_profiles_of_any_shape(content: list[Any], other: Any) -> None:
    for payloads in ([{**each, "PayloadType": "com.apple.mail.managed"} for each in content], other):
        read(apple.read, plistlib.dumps({"PayloadType": "Configuration", "PayloadContent": payloads}))


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "'
    + b"a" * 1000
    + b'">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + index, b"&%c;" % (97 + index) * 20) for index in range(10))
)
TRAPS = {
    "an entity bomb": (BOMB + b"]><clientConfig>&k;</clientConfig>", "doctype"),
    "an external entity": (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><clientConfig>&e;</clientConfig>', "doctype"),
    "an external DTD": (b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><clientConfig/>', "doctype"),
    "a DTD in UTF-16": ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x []><clientConfig/>'.encode("utf-16"), "doctype"),
    "endless depth": (b"<a>" * 200_000, "too_deep"),
    "endless elements": (b"<clientConfig>" + b"<a/>" * 100_000, "too_deep"),
    "a long name space": (b'<x xmlns="' + b"n" * 100_000 + b'">' + b"<a/>" * 2000 + b"</x>", "too_large"),
    "a long name space of a prefix": (b'<x xmlns:p="' + b"n" * 100_000 + b'">' + b"<p:a/>" * 2000 + b"</x>", "too_large"),
    "a long name space of attributes": (b'<x xmlns:p="' + b"n" * 100_000 + b'">' + b"<a p:a=''/>" * 2000 + b"</x>", "too_large"),
    "too much": (b"<clientConfig>" + b" " * LARGEST, "too_large"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="x-none"?><clientConfig/>', "not_xml"),
    "nothing": (b" \r\n", "empty"),
    "a web page": (b"<!doctype HTML><p>hello", "html"),
    "XHTML": (b'<html xmlns="http://www.w3.org/1999/xhtml"><body/></html>', "html"),
    "two roots": (b"<clientConfig/><clientConfig/>", "not_xml"),
}


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_for_xml(name: str) -> None:
    data, code = TRAPS[name]
    tracemalloc.start()
    with pytest.raises(DocumentError) as caught:
        mozilla.read(data)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.code == code
    assert peak < 60 << 20


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'{"a":' * 100_000, b"{" * LARGEST * 2, b"1" * 5000, b"[1]", b'"x"', b"\xff\xfe"]
)
def test_a_trap_for_json(data: bytes) -> None:
    with pytest.raises(DocumentError):
        autodiscover.json_object(data)


def test_a_profile_with_an_entity_is_refused() -> None:
    bomb = PROFILE.replace(b"<plist", b'<!DOCTYPE plist [<!ENTITY a "x">]><plist', 1)
    with pytest.raises(DocumentError):
        apple.read(bomb)


def test_depth_is_counted_downwards_only() -> None:
    assert len(trees.root(b"<a>" + b"<b></b>" * 1000 + b"</a>")) == 1000


NESTED = {
    b"": True,
    b"welcome": True,
    b"<a><b></b></a>": True,
    b"<a><b/><b c='>'/></a>": True,
    b"<a>\n  <b\n c='1'>\n</b >\n": True,
    b"<a\nb='1'><c\td='2'></c></a>": True,
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>": True,
    b"<!-- <a> --><![CDATA[ </a> ]]>": True,
    b"<a><b></a></b>": False,
    b"<html><br></html>": False,
    b"</a>": False,
    b"<a": False,
    b"<a b='>": False,
    b"<a><!-- </a>": False,
    b"<![CDATA[": False,
    b"<!DOCTYPE a [<!ENTITY b 'c'>": False,
    b"<?xml": False,
}


@pytest.mark.parametrize("text", NESTED)
def test_whether_tags_are_nested(text: bytes) -> None:
    """As Delta Chat 2.65 takes each of them; tests/e2e/test_check_agreement.py has it do so with some."""
    assert trees.nested(text) is NESTED[text]


@settings(max_examples=300, deadline=None)
@given(data=st.one_of(mutated(MOZILLA), mutated(POX), st.binary(max_size=300)))
def test_mutants_of_tags(data: bytes) -> None:
    assert trees.nested(data) in (True, False)


@settings(max_examples=200, deadline=None)
@given(data=mutated(MOZILLA))
def test_what_is_xml_is_nested(data: bytes) -> None:
    try:
        trees.root(data)
    except DocumentError:
        return
    assert trees.nested(data)


# -- DER ------------------------------------------------------------------------------------------------------------------


def test_a_certificate_is_read(certificates: Faulty) -> None:
    from cryptography.hazmat.primitives import serialization

    pair = certificates.pair("one.example", "two.example", organization="Somebody")
    facts = der.certificate(pair[0].public_bytes(serialization.Encoding.DER))
    assert facts.names == ("one.example", "two.example")
    assert facts.subject == "Somebody, one.example"
    assert facts.issuer == "mailops.autoconfig, Testing authority"
    assert (facts.not_before, facts.not_after) == (pair[0].not_valid_before_utc, pair[0].not_valid_after_utc)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutants_of_a_certificate(certificates: Faulty, data: st.DataObject) -> None:
    import ssl

    original = ssl.PEM_cert_to_DER_cert(certificates.authority.certificate.read_text())
    for reader in (der.certificate, der.signed):
        try:
            reader(data.draw(mutated(original)))
        except der.DerError:
            continue


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_noise_in_place_of_der(data: bytes) -> None:
    for reader in (der.certificate, der.signed):
        with pytest.raises(der.DerError):
            reader(b"\x30" + data)


def enclosed(*tags: int, content: bytes) -> bytes:
    """A value of DER within others."""
    for tag in reversed(tags):
        content = bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content
    return content


@pytest.mark.parametrize("reader", [der.certificate, der.signed])
def test_a_trap_for_der(reader: Callable[[bytes], Any]) -> None:
    many = enclosed(0x30, content=b"\x05\x00" * 50_000)
    tracemalloc.start()
    with pytest.raises(der.DerError, match="more parts than anything real"):
        reader(many)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 << 20


def test_an_object_identifier_is_bounded() -> None:
    """It is one number, whose computation takes its square."""
    null = b"\x05\x00"
    with pytest.raises(der.DerError, match="impossible object identifier"):
        der.signed(enclosed(0x30, content=enclosed(0x06, content=b"\xff" * 65) + null))
    with pytest.raises(der.DerError, match="is not signed data"):
        der.signed(enclosed(0x30, content=enclosed(0x06, content=b"\x2a" * 64) + null))


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=60))
def test_texts_of_records(text: str) -> None:
    names.unquoted(text)
    pacc.digests([text, f"v=UAAC1; a=sha256; d={text}"])
