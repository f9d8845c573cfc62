"""What all our files for Apache have in common.

PRIVATE to the collection.
"""

from __future__ import annotations

import typing as t

from .directives import Comment, Node, directive, section, write

HEADER = Comment("Managed by Ansible, collection mailops.autoconfig: changes made here are lost with the next run.")
# With this defined Apache tells its configuration without ours: apache2ctl -D MAIL_AUTOCONFIG_OFF -t -D DUMP_VHOSTS
OFF = "MAIL_AUTOCONFIG_OFF"
# Nothing else is asked for in these sites; larger bodies are answered 413 before they are read.
MAX_BODY = 16384
# By default Apache makes a new interpreter for each request and looks at the script's date, which costs more than half of the
# throughput; a changed script comes with a reload. Interpreters are made as requests need them at the same time, two at most
# for one request, and a process with 128 threads never waits for one. Not one for each thread: mod_lua leaves something on the
# stack of such an interpreter at every request, until after a million of them it overflows and the process dies.
LUA = (directive("LuaScope", "server", "1", "256"), directive("LuaCodeCache", "forever"))


def file_bytes(nodes: t.Iterable[Node]) -> bytes:
    """A configuration file of ours, which Apache passes over where ``OFF`` is defined."""
    return write([HEADER, section("IfDefine", [f"!{OFF}"], nodes)]).encode()
