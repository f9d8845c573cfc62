"""What clients trust."""

from __future__ import annotations

import pytest
from testinfra.host import Host


@pytest.fixture
def authority(host: Host) -> str:
    """Where on the host the certificate is of the authority that has ordered certificates."""
    file = "/root/pebble-root.pem"
    host.check_output("curl -fsS --cacert /etc/pebble/ca.pem https://localhost:15000/roots/0 -o %s", file)
    return file
