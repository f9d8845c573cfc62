"""After everything was taken away."""

from __future__ import annotations

from testinfra.host import Host


def test_the_timer_is_gone(host: Host) -> None:
    assert host.run("ls -d /etc/systemd/system/mail-autoconfig-certificates-apache2.*").stdout == ""
    assert host.run("systemctl is-active mail-autoconfig-certificates-apache2.timer").stdout.strip() == "inactive"


def test_the_copy_that_signed_is_gone_with_its_timer(host: Host) -> None:
    assert not host.file("/var/lib/mail_autoconfig/signing").exists
    patterns = "/etc/systemd/system/mail-autoconfig-signing-apache2.* /usr/local/sbin/mail-autoconfig-signing-*"
    assert host.run(f"ls -d {patterns}").stdout == ""
    assert host.run("systemctl is-active mail-autoconfig-signing-apache2.timer").stdout.strip() == "inactive"


def test_nothing_of_ours_is_left_and_apache_runs(host: Host) -> None:
    patterns = "/etc/apache2/conf-enabled/*-certificates.conf /etc/apache2/sites-enabled/*autoconfig*"
    assert host.run(f"ls -d {patterns}").stdout == ""
    assert host.service("apache2").is_running
