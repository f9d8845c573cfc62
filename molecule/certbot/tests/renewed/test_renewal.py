"""Debian's timer has renewed what was due, and a customer has left."""

from __future__ import annotations

from testinfra.host import Host


def test_the_renewed_certificate_is_in_use(host: Host, authority: str) -> None:
    command = "openssl s_client -connect autoconfig.server.tld:443 -servername autoconfig.server.tld -CAfile %s </dev/null"
    served = host.check_output(f"{command} 2>/dev/null | openssl x509", authority)
    assert served == host.file("/etc/letsencrypt/live/autoconfig.server.tld/cert.pem").content_string.rstrip()
    assert served != host.file("/root/before.pem").content_string.rstrip()


def test_the_customer_is_gone_with_the_lineage(host: Host, authority: str) -> None:
    assert host.run("curl -fsS http://autoconfig.customer.example/mail/config-v1.1.xml").rc != 0
    assert host.run("curl -fsS --cacert %s https://autoconfig.customer.example/mail/config-v1.1.xml", authority).rc != 0
    assert host.run("ls /etc/letsencrypt/live").stdout.split() == ["README", "autoconfig.server.tld", "localhost", "shop.example"]
    host.check_output("apache2ctl configtest")
