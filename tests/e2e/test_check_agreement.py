"""What the check says of Thunderbird, and what a real Thunderbird does with the same fault."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import need
from tests.unit.check.conftest import Faulty
from tests.unit.check.test_faults import BY_ITSELF, FAULTS, check
from tests.unit.check.world import ADDRESS, World
from tools.thunderbird import SSL, STARTTLS, Thunderbird

# An address of loopback on which nobody else listens, nor another process of these tests.
LOOPBACK = f"127.88.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
SOCKETS = {"tls": SSL, "starttls": STARTTLS, "none": 0}
# What is wrong with mail servers is none of discovery; a domain of which only the name itself does not exist cannot be.
OTHERS = (
    "nothing listens",
    "the IMAP",
    "the submission",
    "IMAP",
    "submission",
    "the local part",
    "the password is",
    "the domain does",
)
BREAKS = {
    **{name: fault[0] for name, fault in FAULTS.items() if not name.startswith(OTHERS)},
    **{f"by itself: {name}": fault[0] for name, fault in BY_ITSELF.items() if not name.startswith(OTHERS)},
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Faulty:
    return Faulty(tmp_path_factory.mktemp("agreement"))


@pytest.fixture(scope="module")
def thunderbird(certificates: Faulty, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    need("thunderbird", "unshare")
    if os.geteuid() != 0:
        pytest.skip("only root may take the ports that Thunderbird asks")
    with Thunderbird(tmp_path_factory.mktemp("thunderbird"), name_server=LOOPBACK) as program:
        program.trust(certificates.authority.certificate)
        yield program


def filled(username: str) -> str:
    return username.replace("%EMAILLOCALPART%@%EMAILDOMAIN%", ADDRESS).replace("%EMAILADDRESS%", ADDRESS)


def told(found: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What Thunderbird would use."""
    servers = [found[way] for way in ("incoming", "outgoing")] if found.get("incoming") else []
    return {each["type"]: (each["hostname"], each["port"], each["socketType"], filled(each["username"])) for each in servers}


def expected(client: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The same, as the check says it of Thunderbird."""
    services = client["settings"] if client["winner"] else []
    return {
        each["protocol"]: (each["host"], each["port"], SOCKETS[each["tls"]], filled(each["username"].replace("?", "\n")))
        for each in services
    }


@pytest.mark.parametrize("name", BREAKS)
def test_a_real_thunderbird_agrees(thunderbird: Thunderbird, certificates: Faulty, name: str) -> None:
    made = World(certificates, address=LOOPBACK, usual_ports=True)
    try:
        wanted = made.wanted()
        BREAKS[name](made)
        data = check(made, wanted=False, **wanted, address=ADDRESS)
        (ours,) = (client for client in data["clients"] if client["client"] == "thunderbird")
        found = thunderbird.discover(ADDRESS)
    finally:
        made.close()
    assert told(found) == expected(ours)
