"""A certificate for the scripted servers, and who trusts it."""

from __future__ import annotations

import ssl

import pytest

from tests.unit.check.conftest import Faulty
from tests.unit.check.servers.scripted import HOST


@pytest.fixture(scope="session")
def context(certificates: Faulty) -> ssl.SSLContext:
    """That of a server as it should be."""
    return certificates.shown(certificates.pair(HOST))


@pytest.fixture(scope="session")
def trust(certificates: Faulty) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.authority.certificate))
