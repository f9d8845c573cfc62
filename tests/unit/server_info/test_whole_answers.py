"""Whatever the programs print: a clear answer or "cannot tell", never an exception, and never a guess that is said as truth."""

from __future__ import annotations

import json
import random
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import import doveconf
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import.model import CannotTellError
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.server_info.hosts import NAMES, Data, Host

Hosts = t.Mapping[str, Host]
MARK = "t0psecret"


def saying(host: Host, command: str, output: str, status: int = 0) -> Host:
    return Host({**host.commands, command: Result(status, output, "")})


def claims(data: Data) -> set[str]:
    """Everything that is said of listeners, without what is left open."""
    return {
        json.dumps([service, each["port"], key, value])
        for service, listeners in data["services"].items()
        for each in listeners
        for key, value in each.items()
        if value not in (None, [])
    }


def check_less(data: Data, truth: Data) -> None:
    """Less may be known than the truth, and nothing else."""
    assert claims(data) <= claims(truth)
    assert {each["name"] for each in data["domains"]} <= {each["name"] for each in truth["domains"]}
    assert data["username"]["format"] in (None, truth["username"]["format"])
    if data["provider"] is None:
        assert data["unknown"]
        return
    found, true = data["provider"], truth["provider"]
    assert found["outgoing"] == true["outgoing"]
    # IMAP is never left out by mistake.
    assert found["incoming"] in (true["incoming"], true["incoming"][:1])
    assert found.get("managesieve") in (None, true["managesieve"])
    assert set(found["domains"]) <= set(true["domains"])


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_is_cut_off_anywhere_makes_nothing_wrong(hosts: Hosts, name: str) -> None:
    host, truth = hosts[name], hosts[name].result()
    for command, result in host.commands.items():
        lines = [end + 1 for end, char in enumerate(result.output) if char == "\n"]
        # At every line, and in the middle of it.
        for end in sorted({0, *lines[:-1], *(place - 2 for place in lines[::3] if place > 2)}):
            check_less(saying(host, command, result.output[:end], result.status).result(), truth)


@given(name=st.sampled_from(NAMES), data=st.data())
def test_an_answer_that_is_cut_off_at_any_byte_makes_nothing_wrong(hosts: Hosts, name: str, data: st.DataObject) -> None:
    host = hosts[name]
    command = data.draw(st.sampled_from(sorted(host.commands)))
    output = host.commands[command].output
    end = data.draw(st.integers(0, max(len(output) - 1, 0)))
    check_less(saying(host, command, output[:end], host.commands[command].status).result(), host.result())


@given(name=st.sampled_from(NAMES), seed=st.integers(0, 2**32))
def test_lines_of_postconf_mean_the_same_in_any_order(hosts: Hosts, name: str, seed: int) -> None:
    host, truth = hosts[name], hosts[name].result()
    for command in [each for each in host.commands if each.startswith("postconf")]:
        lines = host.commands[command].output.splitlines(keepends=True)
        random.Random(seed).shuffle(lines)  # noqa: S311
        host = saying(host, command, "".join(lines))
    found = host.result()
    assert claims(found) == claims(truth)
    assert found["provider"] == truth["provider"]


@given(name=st.sampled_from(NAMES), seed=st.integers(0, 2**32))
def test_shuffled_blocks_invent_no_port(hosts: Hosts, name: str, seed: int) -> None:
    """Two ports that changed places look like a configuration; which of them it is, a connection tells."""
    host, truth = hosts[name], hosts[name].result()
    for command in [each for each in host.commands if each.startswith(("doveconf", "doveadm"))]:
        lines = host.commands[command].output.splitlines(keepends=True)
        random.Random(seed).shuffle(lines)  # noqa: S311
        host = saying(host, command, "".join(lines), host.commands[command].status)
    data = host.result()
    ports = {(service, each["port"]) for service, listeners in data["services"].items() for each in listeners}
    assert ports <= {(service, each["port"]) for service, listeners in truth["services"].items() for each in listeners}
    assert data["username"]["format"] in (None, truth["username"]["format"])


@given(
    name=st.sampled_from(NAMES),
    changes=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 5000), st.text(max_size=12)), min_size=1, max_size=4),
    status=st.sampled_from([0, 0, 0, 1, 67, 75, -9, -25]),
)
def test_rubbish_never_raises_and_what_is_proposed_can_be_published(
    hosts: Hosts, name: str, changes: list[tuple[int, int, str]], status: int
) -> None:
    host = hosts[name]
    for number, offset, text in changes:
        command = sorted(host.commands)[number % len(host.commands)]
        output = host.commands[command].output
        place = offset % (len(output) + 1)
        host = saying(host, command, output[:place] + text + output[place + len(text) :], status)
    data = host.result()
    if data["provider"] is not None:
        Provider.from_dict(data["provider"])


@given(text=st.one_of(st.text(), st.text(alphabet='ab {}=\n#"\\', max_size=200)))
def test_what_is_no_output_of_doveconf_is_refused_and_nothing_else_happens(text: str) -> None:
    try:
        block = doveconf.parse(text)
    except CannotTellError:
        return
    for key, _value in block.settings:
        assert key in text


@pytest.mark.parametrize("text", ["ssl = yes\nservice x {\n  port = 1\n", "service x {\n}\n}\n", "ssl\n", "{\n}\n"])
def test_an_output_that_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises(CannotTellError):
        doveconf.parse(text)


def test_a_setting_that_is_said_in_two_ways_is_not_believed() -> None:
    block = doveconf.parse("ssl = yes\nssl = no\nprotocols = imap\nprotocols = imap\n")
    with pytest.raises(CannotTellError, match="two values of ssl"):
        block.value("ssl")
    assert block.words("protocols") == ("imap",)


def test_no_secret_comes_through(host: Host, live: t.Any) -> None:
    """Passwords of databases, keys and overrides stand in what the programs print."""
    changed = host.saying("doveconf -n", f"passdb sql {{\n  mysql x {{\n    password = {MARK}\n  }}\n}}\nssl_key = {MARK}\n")
    changed = changed.changed("postconf -x", ("mydestination = ", f"mydestination = inline:{{{MARK}={MARK}}}, "))
    master = changed.commands["postconf -Mx"].output + f"12345 inet n - n - - spawn user=x argv=/x {MARK}\n"
    changed = changed.saying("postconf -Mx", master)
    (live / "mail.server.tld/combined.pem").write_text(
        (live / "mail.server.tld/privkey.pem").read_text() + (live / "mail.server.tld/fullchain.pem").read_text()
    )
    changed = changed.changed("doveconf -f protocol=imap", ("mail.server.tld/fullchain.pem", "mail.server.tld/combined.pem"))
    failing = Host({command: Result(1, MARK + "\n", MARK) for command in host.commands})
    for each in (changed, failing):
        shown = json.dumps(each.result())
        assert MARK not in shown
        assert "PRIVATE" not in shown
    combined = next(each for each in changed.result()["certificates"] if each["file"].endswith("combined.pem"))
    assert combined["names"] == ["mail.server.tld"]


NOISE = 50_000


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("doveconf protocols", "a" + " " * 40 * NOISE + "b\n"),
        ("doveconf protocols", "protocols {\n" + "".join(f"  p{number} = yes\n" for number in range(NOISE)) + "}\n"),
        ("doveconf protocols", f"protocols = {'imap ' * NOISE}\nlisten = *\nauth_mechanisms = {'x ' * NOISE}\n"),
        ("doveconf -f protocol=imap", "x {\n" * NOISE),
        (
            "doveconf -f protocol=imap",
            "service imap-login {\n" + "inet_listener x {\nport = 1\nssl = no\n}\n" * NOISE + "}\nssl = yes\nssl_cert = </x\n",
        ),
        ("doveconf -n", "local_name x {\nssl_cert = </x\n}\n" * NOISE),
        ("doveadm user '*'", "".join(f"a@d{number}.tld\n" for number in range(NOISE))),
        ("postconf -x", f"myhostname = {'x' * 40 * NOISE}\n"),
        ("postconf -Mx", "".join(f"{number} inet n - y - - smtpd\n" for number in range(NOISE))),
        ("postconf -Mx", "465 inet n - y - - smtpd " + "-o {a={b}" * NOISE + "\n"),
        ("postconf -Px", "465/inet/" + "a/" * 10 * NOISE + "\n"),
        ("dovecot", "2.4" * NOISE + "\n"),
    ],
    ids=lambda value: value[:20].split("\n")[0],
)
def test_megabytes_of_noise_end_soon_in_a_short_answer(hosts: Hosts, command: str, output: str) -> None:
    """That it ends at all is the point: whatever is quadratic here would take hours."""
    data = hosts["stock-2.3"].saying(command, output).result()
    assert len(json.dumps(data)) < 1_000_000


def test_the_result_is_printable_and_bounded(host: Host) -> None:
    command = host.command("doveconf -f protocol=imap")
    listeners = "".join(f"  inet_listener x{number} {{\n    port = 1\n    ssl = no\n  }}\n" for number in range(50))
    noisy = host.changed(command, ("service imap-login {\n", "service imap-login {\n" + listeners))
    noisy = noisy.changed("doveconf protocols", ("listen = ", "listen = \x1b[31m"))
    data = noisy.result()
    assert "\\u001b" not in json.dumps(data)
    assert len(json.dumps(data)) < 100_000
