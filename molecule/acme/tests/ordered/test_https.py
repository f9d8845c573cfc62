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
