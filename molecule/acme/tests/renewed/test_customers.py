"""After more customers and a renewal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from testinfra.host import Host


@pytest.mark.parametrize("domain", ["server.tld", "customer.example"])
def test_the_hosts_answer_over_https(over_https: Callable[[str], str], domain: str) -> None:
    assert over_https(f"autoconfig.{domain}") == "200 True"


def test_a_customer_without_dns_is_served_over_http(host: Host, over_https: Callable[[str], str]) -> None:
    assert over_https("autoconfig.dead.example") != "200 True"
    url = "http://127.0.0.1/mail/config-v1.1.xml"
    program = (
        f"import urllib.request as r; print(r.urlopen(r.Request('{url}', headers={{'Host': 'autoconfig.dead.example'}})).status)"
    )
    assert host.check_output("python3 -c %s", program) == "200"


def test_the_renewed_certificate_is_in_use(host: Host) -> None:
    assert host.run("cmp /etc/apache2/md/domains/autoconfig.server.tld/pubcert.pem /root/before.pem").rc == 1
    program = (
        "import socket, ssl; a = (socket.gethostbyname(socket.gethostname()), 443); c = ssl._create_unverified_context(); "
        "s = c.wrap_socket(socket.create_connection(a), server_hostname='autoconfig.server.tld'); "
        "print(ssl.DER_cert_to_PEM_cert(s.getpeercert(True)))"
    )
    shown = host.check_output("python3 -c %s", program)
    assert shown.strip() in host.file("/etc/apache2/md/domains/autoconfig.server.tld/pubcert.pem").content_string


def test_the_copy_that_signs_is_the_renewed_certificate_with_its_rights(host: Host) -> None:
    copy = host.file("/var/lib/mail_autoconfig/signing/profiles.server.tld.pem")
    assert (copy.mode, copy.user, copy.group) == (0o640, "root", "www-data")
    ask = "openssl x509 -noout -fingerprint -in %s"
    assert host.check_output(ask, copy.path) == host.check_output(ask, "/etc/apache2/md/domains/profiles.server.tld/pubcert.pem")
    assert host.run("ls -A /var/lib/mail_autoconfig/signing").stdout.split() == [
        "profiles.server.tld-chain.pem",
        "profiles.server.tld.pem",
    ]
