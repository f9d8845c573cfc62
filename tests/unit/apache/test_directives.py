"""Apache's language: what is written is read as it was meant, and no value leaves its directive."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import directives as apache
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.directives import (
    Comment,
    ConfigurationError,
    Directive,
    Expanding,
    Section,
    directive,
    parse,
    section,
    split_words,
    word,
    write,
)
from hypothesis import given
from hypothesis import strategies as st

# Any text that a word can carry.
WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters=[chr(code) for code in (*range(32), 127)]), max_size=20),
    st.text("ab\\\"'$ {}#<>", max_size=12),
).filter(lambda text: "${" not in text)


def apache_words(text: str) -> list[str]:
    """The words of an argument text, letter by letter as ap_getword_conf (server/util.c) reads them."""
    words, position = [], 0
    while position < len(text):
        if text[position] == " ":
            position += 1
            continue
        quote = text[position] if text[position] in "\"'" else ""
        position += len(quote)
        found = ""
        while position < len(text):
            char, following = text[position], text[position + 1 : position + 2]
            if quote and char == "\\" and following and following in ("\\", quote):
                found, position = found + following, position + 2
            elif char == (quote or " "):
                break
            elif not quote and char == "\\" and following == "\\":
                found, position = found + "\\", position + 2
            else:
                found, position = found + char, position + 1
        position += len(quote)
        words.append(found)
    return words


# -- words --------------------------------------------------------------------------------------------------------------


@given(st.lists(WORDS, max_size=4))
def test_words_are_read_as_they_were_meant(words: list[str]) -> None:
    written = " ".join(word(item) for item in words)
    assert apache_words(written) == words
    assert split_words(written) == words


@given(WORDS)
def test_a_word_stays_within_its_line_and_its_directive(text: str) -> None:
    written = write([directive("ServerAdmin", text), directive("ServerName", "server.tld")])
    lines = written.split("\n")
    assert len(lines) == 3
    assert not lines[0].endswith("\\")
    first, second = parse(written)
    assert isinstance(first, Directive)
    assert isinstance(second, Directive)
    assert (first.name, second.name) == ("ServerAdmin", "ServerName")
    assert split_words(first.raw) == [text]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("server.tld", "server.tld"),
        ("/var/www/autoconfig", "/var/www/autoconfig"),
        ("^/(?:a|b)\\.xml$", "^/(?:a|b)\\.xml$"),
        ("", '""'),
        ("two words", '"two words"'),
        ('"', '"\\""'),
        ("it's", '"it\'s"'),
        ("#", '"#"'),
        ("\\", '"\\\\"'),
        ("a\\", '"a\\\\"'),
        ('a\\"b', '"a\\\\\\"b"'),
        ("</VirtualHost>", '"</VirtualHost>"'),
        ("é", '"é"'),
        ("a\u00a0b", '"a\u00a0b"'),
        ("a\u2028b", '"a\u2028b"'),
        ("50%", "50%"),
        ("$1", "$1"),
    ],
)
def test_only_what_needs_quotes_gets_them(text: str, written: str) -> None:
    assert word(text) == written


@pytest.mark.parametrize("char", [*map(chr, range(32)), "\x7f"])
def test_no_control_character_can_be_written(char: str) -> None:
    with pytest.raises(ConfigurationError, match="control characters or line breaks"):
        word(f"a{char}b")
    with pytest.raises(ConfigurationError):
        write([Comment(f"a{char}b")])
    with pytest.raises(ConfigurationError):
        write([Directive("Name", (), f"a{char}b")])


@pytest.mark.parametrize("text", ["${HOME}", "a${b", "${"])
def test_what_apache_would_replace_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="which Apache would replace"):
        word(text)


def test_a_variable_of_our_own_is_written() -> None:
    assert word(Expanding("${APACHE_LOG_DIR}/x.log")) == "${APACHE_LOG_DIR}/x.log"
    # The same text of somebody else is refused also after that.
    with pytest.raises(ConfigurationError):
        word("${APACHE_LOG_DIR}/x.log")
    with pytest.raises(ConfigurationError, match="control characters"):
        word(Expanding("${APACHE_LOG_DIR}\n"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('a  "b c" d', ["a", "b c", "d"]),
        ('"a \\" b" c', ['a " b', "c"]),
        ("a\\\\b a\\b", ["a\\b", "a\\b"]),
        ('"a\\\\" "a\\b"', ["a\\", "a\\b"]),
        ('""', [""]),
        ("", []),
    ],
)
def test_words_that_others_wrote_are_read_as_apache_reads_them(text: str, words: list[str]) -> None:
    assert split_words(text) == words
    assert apache_words(text) == words


INJECTIONS = [
    "</VirtualHost>",
    '"\nInclude /etc/passwd',
    "\nInclude /etc/passwd",
    "x\r\nInclude /etc/passwd",
    "trailing\\",
    'trailing\\"',
    '" Include "/etc/passwd',
    "x\\\nInclude /etc/passwd",
    "> \n<Directory />",
    "${PATH}",
    "'",
    '"',
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_gets_out_of_a_directive(text: str) -> None:
    tree = [section("VirtualHost", ["*:80"], [directive("ServerAdmin", text), directive("ServerName", "server.tld")])]
    try:
        written = write(tree)
    except ConfigurationError:
        return
    (host,) = parse(written)
    assert isinstance(host, Section)
    first, second = host.children
    assert isinstance(first, Directive)
    assert isinstance(second, Directive)
    assert apache_words(first.raw) == [text]
    assert apache_words(second.raw) == ["server.tld"]


@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_gets_out_of_the_head_of_a_section(text: str) -> None:
    try:
        written = write([section("Directory", [text], [])])
    except ConfigurationError:
        return
    (found,) = parse(written)
    assert isinstance(found, Section)
    assert apache_words(found.raw) == [text]


@pytest.mark.parametrize("name", ["", "Server Name", "ServerName\n", "<Directory", "Include /etc/passwd\nX", "9", "#"])
def test_the_name_of_a_directive_is_one_word(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not the name of a directive"):
        write([directive(name)])
    with pytest.raises(ConfigurationError, match="is not the name of a directive"):
        write([section(name, [], [])])


@pytest.mark.parametrize("text", ["x\\", "\\", "a\nb"])
def test_neither_a_comment_nor_raw_arguments_swallow_the_next_line(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not one line"):
        write([Comment(text)])
    with pytest.raises(ConfigurationError, match="is not one line"):
        write([Directive("Name", (), text)])


# -- trees --------------------------------------------------------------------------------------------------------------


def test_sections_are_indented_and_what_is_none_is_left_out() -> None:
    tree = [
        Comment("first"),
        section("IfModule", ["mod_ssl.c"], [section("Location", ["/"], [directive("SetEnv", "A", "b c")]), None]),
        section("If", ["a b"], []),
        directive("SSLEngine", "on"),
    ]
    assert (
        write(tree)
        == """\
# first
<IfModule mod_ssl.c>
    <Location />
        SetEnv A "b c"
    </Location>
</IfModule>
<If "a b">
</If>
SSLEngine on
"""
    )


def test_a_piece_of_configuration_is_read_as_a_tree() -> None:
    text = """
# a comment
  ## another
SSLEngine on
<IfModule  mod_ssl.c>
\tHeader  always set X "a  b"
    <Files "*.php">
        Require all denied
    </files >

    Timeout
</IfModule>
"""
    assert parse(text) == (
        Comment("a comment"),
        Comment("another"),
        Directive("SSLEngine", (), "on"),
        Section(
            "IfModule",
            (),
            (
                Directive("Header", (), 'always set X "a  b"'),
                Section("Files", (), (Directive("Require", (), "all denied"),), '"*.php"'),
                Directive("Timeout", (), ""),
            ),
            "mod_ssl.c",
        ),
    )


def test_lines_are_continued() -> None:
    text = "Header always \\\n  set X \\\r\n  y\nTimeout 5\n"
    assert parse(text) == (Directive("Header", (), "always   set X   y"), Directive("Timeout", (), "5"))


def test_a_comment_is_continued_too() -> None:
    assert parse("# a comment \\\nInclude x\nTimeout 5") == (Comment("a comment Include x"), Directive("Timeout", (), "5"))


def test_nothing_is_nothing() -> None:
    assert parse("") == parse("\n  \n\t\n") == ()
    assert write([]) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("</VirtualHost>", "line 1: </VirtualHost> closes a section that is not open"),
        ("Timeout 5\n</VirtualHost>\n<VirtualHost *:80>", "line 2: </VirtualHost> closes a section that is not open"),
        ("<If x>\n<Files y>\n</If>\n</Files>", "line 3: </If> closes a section that is not open"),
        ("<If x>\nTimeout 5", "<If> is not closed"),
        ("Timeout 5 \\", "line 1: ends in a backslash with nothing to continue"),
        ("\n\n9lives", "line 3: '9lives' is not the name of a directive"),
        ("<If x", "line 1: '<If' is not the name of a directive"),
        ("</If x>", "line 1: '</If' is not the name of a directive"),
        ("{% if x %}", "line 1: '{%' is not the name of a directive"),
        ("Time\x00out 5", "line 1: control characters"),
        ("Timeout 5\nTime\rout 5", "line 2: control characters"),
        ("a \\\nb \\\n\x1b", "line 1: control characters"),
    ],
)
def test_what_is_no_configuration_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse(text)
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["Timeout 5\\ ", "# comment \\\t", "<Files x\\>\n</Files>"])
def test_a_backslash_that_would_join_the_next_line_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="ends in a backslash"):
        parse(text)


_NAMES = st.sampled_from(["ServerName", "Header", "SetEnv", "mod:x_1"])
_RAW = st.text("ab\\\"' $%<>#", max_size=10).map(str.strip).filter(lambda text: not text.endswith("\\"))
_TREES = st.recursive(
    st.one_of(
        st.builds(Directive, _NAMES, st.lists(WORDS, max_size=3).map(tuple)),
        st.builds(Directive, _NAMES, st.just(()), _RAW),
        st.builds(Comment, st.text("ab <>\"'", max_size=8).map(str.strip)),
    ),
    lambda children: st.builds(
        Section,
        st.sampled_from(["IfModule", "Files"]),
        st.lists(WORDS, max_size=2).map(tuple),
        st.lists(children, max_size=3).map(tuple),
    ),
    max_leaves=8,
)


@given(st.lists(_TREES, max_size=4))
def test_what_is_written_is_read_and_written_the_same(tree: list[apache.Node]) -> None:
    written = write(tree)
    nodes = parse(written)
    assert len(nodes) == len(tree)
    assert write(nodes) == written
    assert parse(write(nodes)) == nodes


@given(st.text("ab</>#\\\n\r\t \"'${}", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        nodes = parse(text)
        again = parse(write(nodes))
    except ConfigurationError:
        return
    assert again == nodes
