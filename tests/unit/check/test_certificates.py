"""What the certificate of a web host is told to be."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import certificates
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.connections import LinkError
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.model import CertificateFacts

MISMATCH = "Hostname mismatch, certificate is not valid for 'a.tld'."


@pytest.mark.parametrize(
    ("code", "names", "detail"),
    [
        ("wrong_name", ("shop.tld",), MISMATCH),
        ("wrong_name", (), "the certificate has no names of hosts at all"),
        ("expired", (), MISMATCH),
    ],
)
def test_a_certificate_without_names_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch, code: str, names: tuple[str, ...], detail: str
) -> None:
    trust = ssl.create_default_context()

    def facts(host: str, address: str, port: int, context: ssl.SSLContext, deadline: Any) -> CertificateFacts:
        if context is trust:
            raise LinkError(code, MISMATCH)
        return CertificateFacts(host, port, names)

    monkeypatch.setattr(certificates, "_facts", facts)
    (shown,) = certificates.look("a.tld", ["192.0.2.1"], 443, trust, 1)
    assert (shown.fault, shown.detail, shown.facts.names) == (code, detail, names)
