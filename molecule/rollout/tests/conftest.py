"""What the rollout said, and what a host is like."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

ROLLOUT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / ".cache/rollout.json"
WITNESS = "python3 /root/witness/witness.py"
DOCUMENT = "http://autoconfig.server.tld/mail/config-v1.1.xml"


@pytest.fixture
def rollout() -> dict[str, Any]:
    """``rc`` and ``stdout`` of the last run of the playbook."""
    return dict(json.loads(ROLLOUT.read_text()))


@pytest.fixture
def recap(rollout: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Ansible's counts of the last run by host."""
    lines = rollout["stdout"].rpartition("PLAY RECAP")[2].splitlines()[1:]
    parts = [line.partition(":") for line in lines if ":" in line]
    return {host.strip(): {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", rest)} for host, _colon, rest in parts}


@pytest.fixture
def differences(host: Host) -> Callable[[str], dict[str, Any]]:
    """What is otherwise than before the rollout: of the ``files`` of Apache, or of the ``answers``."""
    return lambda kind: dict(json.loads(host.check_output(f"{WITNESS} {kind}")))


@pytest.fixture
def document(host: Host) -> dict[str, Any]:
    """What Thunderbird gets from the host."""
    return dict(json.loads(host.check_output(f"{WITNESS} ask own {DOCUMENT}")))
