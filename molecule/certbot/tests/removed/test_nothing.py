"""After everything was taken away."""

from __future__ import annotations

from testinfra.host import Host


def test_nothing_of_ours_is_left_and_apache_starts(host: Host) -> None:
    assert host.run("ls -d /etc/apache2/sites-enabled/*autoconfig* /etc/apache2/conf-enabled/*autoconfig*").stdout == ""
    assert host.run("ls /etc/letsencrypt/renewal").stdout.split() == ["shop.example.conf"]
    host.check_output("systemctl restart apache2")
