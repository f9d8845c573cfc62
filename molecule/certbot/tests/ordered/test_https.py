"""One run has brought HTTPS, and the web site has lost nothing."""

from __future__ import annotations

import pytest
from testinfra.host import Host

NAMES = [f"{label}.{domain}" for label in ("autoconfig", "autodiscover") for domain in ("server.tld", "customer.example")]


@pytest.mark.parametrize("name", NAMES)
def test_the_hosts_answer_over_https(host: Host, authority: str, name: str) -> None:
    host.check_output("curl -fsS --cacert %s https://%s/mail/config-v1.1.xml | grep -q '<clientConfig'", authority, name)


def test_the_lineage_of_the_web_site_is_as_it_was(host: Host) -> None:
    patterns = "/etc/letsencrypt/*/shop.example/* /etc/letsencrypt/renewal/shop.example.conf"
    assert host.check_output(f"sha256sum {patterns}") == host.file("/root/shop").content_string.rstrip()
