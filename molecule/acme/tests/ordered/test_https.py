"""One run has brought HTTPS, and the timer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from testinfra.host import Host


@pytest.mark.parametrize("label", ["autoconfig", "autodiscover"])
def test_the_hosts_answer_over_https(over_https: Callable[[str], str], label: str) -> None:
    assert over_https(f"{label}.server.tld") == "200 True"


def test_the_timer_runs_now_and_after_the_next_start(host: Host) -> None:
    assert host.service("mail-autoconfig-certificates-apache2.timer").is_running
    assert host.service("mail-autoconfig-certificates-apache2.timer").is_enabled


def test_the_timer_has_nothing_to_do_while_no_certificate_waits(host: Host) -> None:
    host.check_output("systemctl start mail-autoconfig-certificates-apache2.service")
    shown = host.check_output("systemctl show -p ConditionResult -p Result mail-autoconfig-certificates-apache2.service")
    assert set(shown.split()) == {"ConditionResult=no", "Result=success"}


def test_the_certificate_that_signs_is_for_the_web_server_and_has_a_timer(host: Host) -> None:
    copy = host.file("/var/lib/mail_autoconfig/signing/profiles.server.tld.pem")
    assert (copy.mode, copy.user, copy.group) == (0o640, "root", "www-data")
    assert host.run("runuser -u nobody -- cat %s", copy.path).rc != 0
    assert host.service("mail-autoconfig-signing-apache2.timer").is_running
    assert host.service("mail-autoconfig-signing-apache2.timer").is_enabled


def test_the_profile_is_signed(host: Host, over_https: Callable[[str], str]) -> None:
    assert over_https("autoconfig.server.tld") == "200 True"
    program = (
        "import ssl, sys, urllib.request as r; c = ssl.create_default_context(cafile='/root/pebble-root.pem'); "
        "url = 'https://autoconfig.server.tld/mail.mobileconfig?emailaddress=a@server.tld'; "
        "sys.stdout.buffer.write(r.urlopen(url, context=c).read())"
    )
    verify = "openssl cms -verify -binary -inform der -purpose any -CAfile /root/pebble-root.pem -out /root/profile"
    host.check_output(f"python3 -c %s | {verify} && grep -q PayloadContent /root/profile", program)
