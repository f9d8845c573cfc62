"""Asking as a client does that trusts what the authority issues."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from testinfra.host import Host

_ROOT = "/root/pebble-root.pem"
_CONFIG = "/mail/config-v1.1.xml"
_PROGRAM = f"""
import http.client, socket, ssl, sys
host, address = sys.argv[1], socket.gethostbyname(socket.gethostname())
connection = http.client.HTTPSConnection(host, timeout=10)
context = ssl.create_default_context(cafile={_ROOT!r})
connection.sock = context.wrap_socket(socket.create_connection((address, 443), 10), server_hostname=host)
connection.request("GET", {_CONFIG!r})
answer = connection.getresponse()
print(answer.status, b"<clientConfig" in answer.read())
"""


@pytest.fixture
def authority(host: Host) -> str:
    """Where on the host the certificate is of the authority that has issued the others."""
    fetch = "import ssl, urllib.request as r; print(r.urlopen('https://localhost:15000/roots/0', context=c).read().decode())"
    trusting = f"import ssl; c = ssl.create_default_context(cafile='/etc/pebble/ca.pem'); {fetch}"
    host.run_expect([0], f'python3 -c "{trusting}" > {_ROOT}')
    return _ROOT


@pytest.fixture
def over_https(host: Host, authority: str) -> Callable[[str], str]:
    """What a host answers over HTTPS: the status, and whether it is Thunderbird's file; or the last words of the error."""

    def ask(name: str) -> str:
        done = host.run("python3 -c %s %s", _PROGRAM, name)
        return (done.stdout or done.stderr).strip().splitlines()[-1]

    return ask
