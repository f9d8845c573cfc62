"""The few things that must be read from certificates and signed profiles, in DER, without a library.

PRIVATE to the collection. X.690 (DER), RFC 5280 (certificates), 5652 (CMS). Python's ``ssl`` describes only certificates that it
trusts, and what is wrong with the others is what people want to know. Nothing is verified here. Every length is held against what
there is, so that garbage ends in :class:`DerError`.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import re
import typing as t

_SEQUENCE, _SET, _OID, _OCTETS, _BITS = 0x30, 0x31, 0x06, 0x04, 0x03
_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
_AUTHORITY_INFORMATION = "1.3.6.1.5.5.7.1.1"
_CA_ISSUERS = "1.3.6.1.5.5.7.48.2"
_KEY_USAGE, _EXTENDED_KEY_USAGE = "2.5.29.15", "2.5.29.37"
_SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1"
# digitalSignature, keyEncipherment and keyAgreement (RFC 5280 section 4.2.1.3).
_USAGES_OF_TLS = 0x80 | 0x20 | 0x08
_POLICIES = "2.5.29.32"
# Of the CA/Browser Forum, one of which every certificate of a public authority has (Baseline Requirements section 7.1.6.1).
_PUBLIC_POLICIES = ("2.23.140.1.1", "2.23.140.1.2.1", "2.23.140.1.2.2", "2.23.140.1.2.3")
# Proofs that public logs have it (RFC 6962 section 3.3), without which browsers take none of a public authority.
_LOGGED = "1.3.6.1.4.1.11129.2.4.2"
_COMMON_NAME, _ORGANIZATION = "2.5.4.3", "2.5.4.10"
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_MOST_CERTIFICATES = 10
_MOST_NAMES = 1000
# Values in one another, and octets of an object identifier; no certificate comes near.
_MOST_VALUES = 10_000
_LONGEST_OID = 64
_LONGEST_NAME = 253
# As OpenSSL takes them where it loads a certificate (PEM_read_bio_X509_AUX); older programs write the others.
_PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END", re.DOTALL)


class DerError(ValueError):
    """Not DER of the expected kind."""


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What a certificate says; digests are SHA-256, hexadecimal.

    :ivar names: DNS names in its subjectAltName, lower case
    :ivar common_name: what counts for a host where there is no subjectAltName (RFC 6125 section 6.4.4); else empty
    :ivar key: of its SubjectPublicKeyInfo, as TLSA 3 1 1 has it
    :ivar subject_der: its subject as it is encoded, by which chains are made (RFC 5280 section 6.1), with ``issuer_der``
    :ivar names_issuer: whether it says where to get its issuer's certificate (RFC 5280 section 4.2.2.1)
    :ivar is_public: whether it says that it is from an authority that everybody trusts
    :ivar is_for_servers: whether its key may be used by a server with TLS (RFC 5280 sections 4.2.1.3 and 4.2.1.12)
    :ivar fingerprint: of the certificate
    """

    names: tuple[str, ...]
    subject: str
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    key: str
    subject_der: bytes
    issuer_der: bytes
    common_name: str = ""
    names_issuer: bool = False
    is_public: bool = False
    is_for_servers: bool = True
    fingerprint: str = ""


class _Value(t.NamedTuple):
    tag: int
    content: bytes
    whole: bytes


def _one(octets: bytes | memoryview) -> tuple[_Value, memoryview]:
    """The first value and what comes after it (X.690 section 8.1.3; OpenSSL writes definite lengths only)."""
    data = memoryview(octets)  # a slice of which is no copy
    if len(data) < 2:
        raise DerError("it ends too early")
    tag, length, start = data[0], data[1], 2
    if length == 0x80:
        raise DerError("it has an indefinite length")
    if length > 0x80:
        size = length & 0x7F
        if size > 4 or len(data) < 2 + size:
            raise DerError("it has an impossible length")
        length, start = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
    end = start + length
    if end > len(data):
        raise DerError("it ends too early")
    return _Value(tag, bytes(data[start:end]), bytes(data[:end])), data[end:]


def _all(data: bytes) -> list[_Value]:
    found: list[_Value] = []
    rest = memoryview(data)
    while rest:
        if len(found) >= _MOST_VALUES:
            raise DerError("it has more parts than anything real")
        value, rest = _one(rest)
        found.append(value)
    return found


def _expect(value: _Value, tag: int) -> bytes:
    if value.tag != tag:
        raise DerError(f"it has {value.tag:#x} where {tag:#x} belongs")
    return value.content


def _oid(content: bytes) -> str:
    if not 0 < len(content) <= _LONGEST_OID:
        raise DerError("it has an impossible object identifier")
    numbers = [min(content[0] // 40, 2)]
    numbers.append(content[0] - 40 * numbers[0])
    number = 0
    for octet in content[1:]:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    return ".".join(map(str, numbers))


def _time(value: _Value) -> datetime.datetime:
    """UTCTime or GeneralizedTime (RFC 5280 section 4.1.2.5)."""
    text = value.content.decode("ascii", "replace")
    if value.tag == 0x17:
        text = ("19" if text[:2] >= "50" else "20") + text
    try:
        return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        raise DerError(f"{text!r} is no time") from None


def _name(content: bytes) -> dict[str, str]:
    parts = {}
    for relative in _all(content):
        for attribute in _all(_expect(relative, _SET)):
            kind, value = _all(_expect(attribute, _SEQUENCE))[:2]
            encoding = "utf-16-be" if value.tag == 0x1E else "utf-8"
            parts[_oid(_expect(kind, _OID))] = value.content.decode(encoding, "replace")
    return parts


def _shown(name: t.Mapping[str, str]) -> str:
    return ", ".join(dict.fromkeys(name[kind] for kind in (_ORGANIZATION, _COMMON_NAME) if kind in name))[:200]


def in_pem(content: bytes) -> list[bytes]:
    """The certificates in a PEM file, in DER, in their order (RFC 7468 section 5). Raises DerError."""
    try:
        return [base64.b64decode(body) for body in _PEM.findall(content)]
    except ValueError as exc:
        raise DerError(f"it is not in base64 ({exc})") from None


def certificate(data: bytes) -> Certificate:
    """Read a certificate. Raises DerError."""
    try:
        return _certificate(data)
    except (IndexError, ValueError) as exc:
        raise exc if isinstance(exc, DerError) else DerError("it lacks a part") from None


def _certificate(data: bytes) -> Certificate:
    outer, _rest = _one(data)
    fields = _all(_expect(_all(_expect(outer, _SEQUENCE))[0], _SEQUENCE))
    if fields[0].tag == 0xA0:  # the version, which the first had not
        fields = fields[1:]
    _serial, _algorithm, issuer, validity, subject, key = fields[:6]
    begins, ends = _all(_expect(validity, _SEQUENCE))[:2]
    subject_name, issuer_name = _name(_expect(subject, _SEQUENCE)), _name(_expect(issuer, _SEQUENCE))
    extensions = dict(_extensions(fields[6:]))
    return Certificate(
        names=tuple(_alternative_names(extensions))[:_MOST_NAMES],
        subject=_shown(subject_name),
        issuer=_shown(issuer_name),
        not_before=_time(begins),
        not_after=_time(ends),
        key=hashlib.sha256(key.whole).hexdigest(),
        subject_der=bytes(subject.whole),
        issuer_der=bytes(issuer.whole),
        common_name="" if _SUBJECT_ALTERNATIVE_NAME in extensions else subject_name.get(_COMMON_NAME, "").lower(),
        names_issuer=_CA_ISSUERS in _access_methods(extensions),
        is_public=_LOGGED in extensions or any(policy in _PUBLIC_POLICIES for policy in _policies(extensions)),
        is_for_servers=_is_for_servers(extensions),
        fingerprint=hashlib.sha256(outer.whole).hexdigest(),
    )


def _extensions(rest: t.Iterable[_Value]) -> t.Iterator[tuple[str, bytes]]:
    """The extensions by their identifiers (RFC 5280 section 4.2)."""
    for field in rest:
        if field.tag == 0xA3:
            for extension in _all(_expect(_one(field.content)[0], _SEQUENCE)):
                parts = _all(_expect(extension, _SEQUENCE))
                yield _oid(_expect(parts[0], _OID)), _expect(parts[-1], _OCTETS)


def _alternative_names(extensions: t.Mapping[str, bytes]) -> t.Iterator[str]:
    """The DNS names (RFC 5280 section 4.2.1.6)."""
    if _SUBJECT_ALTERNATIVE_NAME in extensions:
        for name in _all(_one(extensions[_SUBJECT_ALTERNATIVE_NAME])[0].content):
            if name.tag == 0x82:
                yield name.content[:_LONGEST_NAME].decode("ascii", "replace").lower()


def _access_methods(extensions: t.Mapping[str, bytes]) -> list[str]:
    """What the certificate says where to get (RFC 5280 section 4.2.2.1)."""
    if _AUTHORITY_INFORMATION not in extensions:
        return []
    described = _all(_one(extensions[_AUTHORITY_INFORMATION])[0].content)
    return [_oid(_expect(_all(_expect(each, _SEQUENCE))[0], _OID)) for each in described]


def _policies(extensions: t.Mapping[str, bytes]) -> list[str]:
    """The policies under which the certificate was issued (RFC 5280 section 4.2.1.4)."""
    if _POLICIES not in extensions:
        return []
    described = _all(_one(extensions[_POLICIES])[0].content)
    return [_oid(_expect(_all(_expect(each, _SEQUENCE))[0], _OID)) for each in described]


def _is_for_servers(extensions: t.Mapping[str, bytes]) -> bool:
    """Whether a client takes the certificate of a server with TLS, as OpenSSL sees it (v3_purp.c, check_purpose_ssl_server).

    The purpose "any" is none for OpenSSL and Mozilla.
    """
    if _EXTENDED_KEY_USAGE in extensions:
        purposes = [_oid(_expect(each, _OID)) for each in _all(_one(extensions[_EXTENDED_KEY_USAGE])[0].content)]
        if _SERVER_AUTHENTICATION not in purposes:
            return False
    if _KEY_USAGE in extensions:
        # The first octet tells how many bits at the end do not count.
        return bool(_expect(_one(extensions[_KEY_USAGE])[0], _BITS)[1] & _USAGES_OF_TLS)
    return True


def signed(data: bytes) -> tuple[bytes, tuple[Certificate, ...]]:
    """The content of CMS SignedData and the certificates in it; whether the signature is right is not looked at.

    Raises DerError.
    """
    try:
        return _signed(data)
    except (IndexError, ValueError) as exc:
        raise exc if isinstance(exc, DerError) else DerError("it lacks a part") from None


def _signed(data: bytes) -> tuple[bytes, tuple[Certificate, ...]]:
    kind, explicit = _all(_expect(_one(data)[0], _SEQUENCE))[:2]
    if _oid(_expect(kind, _OID)) != _SIGNED_DATA:
        raise DerError("it is not signed data")
    fields = _all(_expect(_one(explicit.content)[0], _SEQUENCE))
    encapsulated = _all(_expect(fields[2], _SEQUENCE))
    if len(encapsulated) < 2:
        raise DerError("its content is not in it")
    content = _expect(_one(encapsulated[1].content)[0], _OCTETS)
    listed = next((field for field in fields[3:] if field.tag == 0xA0), None)
    certificates = _all(listed.content)[:_MOST_CERTIFICATES] if listed else []
    return content, tuple(_certificate(each.whole) for each in certificates if each.tag == _SEQUENCE)
