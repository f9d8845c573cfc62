"""The responder's script under a real Lua, with a request that is none."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import responder

from tests.conftest import need

HARNESS = Path(__file__).with_name("harness.lua")
# With which Apache's mod_lua is linked: Debian 12 and 13.
VERSIONS = ("lua5.3", "lua5.4")
_NUMBERS = itertools.count()


class Answer(NamedTuple):
    """What a function of the script made of a request.

    :ivar returned: its value; 0 is "done", -1 "declined", others are an HTTP status
    :ivar status: the field of the request, which counts if the value is 0
    :ivar variables: what it set for Apache
    :ivar steps: how many instructions of Lua it took, in thousands
    """

    returned: int
    status: int
    content_type: str
    headers: dict[str, str]
    body: bytes
    filename: str
    variables: dict[str, str]
    log: list[str]
    filtered: bytes
    steps: int


class Lua:
    """An interpreter that answers case after case."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen([program, str(HARNESS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()

    def ask(self, case: dict[str, Any]) -> Answer:
        """The outcome of a case. Fails the test if the script raised an error."""
        said = self._say("return " + literal(case))
        while "sha1" in said:
            said = self._say(hashlib.sha1(said["sha1"].encode("latin-1"), usedforsecurity=False).hexdigest())
        assert "error" not in said, said["error"]
        return Answer(
            returned=said["returned"],
            status=said["status"],
            content_type=said.get("content_type", ""),
            headers=said["headers"],
            body=said["body"].encode("latin-1"),
            filename=said.get("filename", ""),
            variables=said["variables"],
            log=list(said["log"].values()),
            filtered=said.get("filtered", "").encode("latin-1"),
            steps=said["steps"],
        )

    def _say(self, line: str) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line.encode("ascii") + b"\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))


def literal(value: object) -> str:
    """A value as Lua reads it, in one line."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{literal(key)}]={literal(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(literal, value)) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    assert isinstance(value, str | bytes)
    content = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    return '"' + "".join(f"\\{byte:03}" for byte in content) + '"'


class Script:
    """A rendered script and the documents that it reads.

    :arg options: of :class:`responder.Answers`, but paths
    """

    def __init__(
        self,
        lua: Lua,
        directory: Path,
        domains: Sequence[str],
        documents: dict[str, str],
        ports: tuple[int, int] = (80, 443),
        **options: Any,
    ) -> None:
        self._lua = lua
        # The interpreter keeps a script by its path, as Apache does.
        self.path = directory / f"{next(_NUMBERS)}.lua"
        self.files = {name: str(directory / name) for name in documents}
        for name, text in documents.items():
            (directory / name).write_text(text)
        answers = responder.Answers(**{"autoconfig": "/www/config-v1.1.xml", "personal": True, **self.files, **options})
        self.path.write_bytes(responder.script("Managed by Ansible", domains, str(self.path), answers, [], ports))

    def call(self, function: str, buckets: list[bytes] | None = None, **request: Any) -> Answer:
        """Call a function of the script with a request of these fields (those of mod_lua, and body)."""
        fields = {"unparsed_uri": request.get("uri", "/"), **request}
        return self._lua.ask({"script": str(self.path), "call": function, "request": fields, "buckets": buckets})


@pytest.fixture(scope="session", params=VERSIONS)
def lua(request: pytest.FixtureRequest) -> Iterator[Lua]:
    need(request.param)
    interpreter = Lua(request.param)
    yield interpreter
    interpreter.close()
