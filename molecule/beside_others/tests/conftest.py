"""What is asked at every stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from testinfra.host import Host

WITNESS = "python3 /root/witness/witness.py"

Differences = dict[str, Any]


@pytest.fixture(scope="module")
def changed_answers(host: Host) -> Differences:
    """What is answered otherwise than before the first run, by question."""
    return dict(json.loads(host.check_output(f"{WITNESS} answers")))


@pytest.fixture
def changed_files(host: Host) -> Differences:
    """What is otherwise in /etc/apache2 than before the first run, by path."""
    return dict(json.loads(host.check_output(f"{WITNESS} files")))


@pytest.fixture
def ask(host: Host) -> Callable[[str, str], Differences]:
    """What a client that trusts the test authority gets from an address for a URL."""
    return lambda address, url: dict(json.loads(host.check_output(f"{WITNESS} ask %s %s", address, url)))
