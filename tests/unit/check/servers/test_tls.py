"""What a certificate says, and one that says nothing."""

from __future__ import annotations

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.servers import tls


def test_a_certificate_that_cannot_be_read_is_told_as_one() -> None:
    found = tls.describe("mail.server.tld", 993, b"nonsense", "TLSv1.3")
    assert (found.host, found.port, found.protocol) == ("mail.server.tld", 993, "TLSv1.3")
    assert (found.names, found.error) == ((), "the certificate cannot be read")
