"""One private Apache for all tests of the directory, as new for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import need
from tests.faults import harness


@pytest.fixture(scope="session")
def only_bed() -> Iterator[harness.Bed]:
    need("apache2", "openssl", "perl")
    with harness.bed() as made:
        yield made


@pytest.fixture
def bed(only_bed: harness.Bed) -> harness.Bed:
    only_bed.undo()
    return only_bed
