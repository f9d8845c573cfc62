"""Certificates and keys in configurations that others wrote, in every way in which they write them."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.key_pairs import (
    Pair,
    Template,
    in_use,
    templates,
)

SITE = """\
<VirtualHost *:443>
    ServerName shop.example
    SSLEngine on
    SSLCertificateFile    "{file}"
    SSLCertificateKeyFile {key}
</VirtualHost>
"""


def found(text: str, *certificates: str, root: str = "/etc/apache2") -> tuple[Pair, ...]:
    return in_use({"/x.conf": text}, certificates, root)


def test_a_pair_is_known_with_its_place() -> None:
    text = SITE.format(file="/tls/a.pem", key="/tls/a.key")
    assert templates("/x.conf", text) == (Template("/tls/a.pem", "/tls/a.key", "/x.conf:4"),)
    assert found(text, "/tls/a.pem") == (Pair("/tls/a.pem", ("/tls/a.key",), "/x.conf:4"),)


def test_what_apache_does_not_have_is_in_no_pair() -> None:
    assert found(SITE.format(file="/tls/a.pem", key="/tls/a.key"), "/tls/b.pem") == ()
    assert found(SITE.format(file="/tls/a.pem", key="/tls/a.key")) == ()


def test_without_a_key_it_is_in_the_file_of_the_certificate() -> None:
    text = "SSLCertificateFile /tls/a.pem\nSSLCertificateFile /tls/b.pem\nSSLCertificateKeyFile /tls/a.key\n"
    assert [(pair.file, pair.keys) for pair in found(text, "/tls/a.pem", "/tls/b.pem")] == [
        ("/tls/a.pem", ("/tls/a.key",)),
        ("/tls/b.pem", ("/tls/b.pem",)),
    ]


def test_certificates_of_two_kinds_have_their_keys_in_the_same_order() -> None:
    text = "".join(f"SSLCertificate{kind}File /{name}\n" for kind, name in (("", "r"), ("", "e"), ("Key", "rk"), ("Key", "ek")))
    assert [(pair.file, pair.keys) for pair in found(text, "/e", "/r")] == [("/e", ("/ek",)), ("/r", ("/rk",))]


def test_virtual_hosts_do_not_share_keys() -> None:
    text = SITE.format(file="/a", key="/ak") + SITE.format(file="/b", key="/bk")
    assert [(pair.file, pair.keys) for pair in found(text, "/a", "/b")] == [("/a", ("/ak",)), ("/b", ("/bk",))]
    both = SITE.format(file="/a", key="/ak") + SITE.format(file="/a", key="/bk")
    assert [(pair.file, pair.keys) for pair in found(both, "/a")] == [("/a", ("/ak",)), ("/a", ("/bk",))]


def test_a_virtual_host_without_tls_has_none() -> None:
    assert found(SITE.format(file="/a", key="/ak").replace("on\n", "Off\n"), "/a") == ()


@pytest.mark.parametrize(
    ("file", "key", "certificate", "keys"),
    [
        ("${TLS}/a.pem", "${TLS}/a.key", "/tls/a.pem", ("/tls/a.key",)),
        ("/live/$name/full.pem", "/live/$name/key.pem", "/live/a.tld/full.pem", ("/live/a.tld/key.pem",)),
        ("/live/%n/@n.pem", "/live/%n/@n.key", "/live/a/b.pem", ("/live/a/b.key",)),
        ("/live/$n/$n.pem", "/$n.key", "/live/a/a.pem", ("/a.key",)),
        ("live/$n.pem", "live/$n.key", "live/a.pem", ("/etc/apache2/live/a.key",)),
        ("live/a.pem", "/k", "live/a.pem", ("/k",)),
        # The same variable never stands for two things, and one that the certificate does not have is not known.
        ("/live/$n/$n.pem", "/$n.key", "/live/a/b.pem", ()),
        ("/tls/a.pem", "${KEYS}/a.key", "/tls/a.pem", ()),
        ("/tls/a.pem.$x", "/$x", "/tls/aXpem.y", ()),
    ],
)
def test_what_variables_stand_for_is_read_off_the_certificate(
    file: str, key: str, certificate: str, keys: tuple[str, ...]
) -> None:
    assert tuple(key for pair in found(SITE.format(file=file, key=key), certificate) for key in pair.keys) == keys


def test_what_is_written_out_goes_before_what_only_may_be_meant() -> None:
    macro = f"<Macro M $n>\n{SITE.format(file='/live/$n.pem', key='/live/$n.key')}</Macro>\n"
    text = macro + SITE.format(file="/live/a.pem", key="/elsewhere.key")
    assert [pair.keys for pair in found(text, "/live/a.pem", "/live/b.pem")] == [("/elsewhere.key",), ("/live/b.key",)]
    two = macro + SITE.format(file="/live/${N}.pem", key="/other/${N}.key")
    assert [pair.keys for pair in found(two, "/live/a.pem")] == [("/live/a.key", "/other/a.key")]


@pytest.mark.parametrize("text", ["SSLCertificateFile \\", "SSLCertificateFile\n", "</VirtualHost>\n", "\0"])
def test_what_cannot_be_read_has_none(text: str) -> None:
    assert found(text, "/etc/apache2/", "\\") == ()
