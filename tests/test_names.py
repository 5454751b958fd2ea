"""Names, references, semantic versions, and the safe display of text from outside."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from semver import Version

from mlreg.errors import InvalidInput
from mlreg.names import (
    MAX_NAME_BYTES,
    MAX_TEXT_LENGTH,
    MAX_VERSION_LENGTH,
    Reference,
    check_alias,
    check_key,
    check_name,
    check_selector,
    check_text,
    name_key,
    parse_reference,
    parse_version,
    precedence_key,
    safe,
)

NUMBERS = st.one_of(st.integers(0, 12), st.integers(0, 10**20))
IDENTIFIERS = st.one_of(
    NUMBERS.map(str), st.from_regex(r"[0-9]{0,2}[A-Za-z-][0-9A-Za-z-]{0,4}", fullmatch=True)
)
PRERELEASES = st.one_of(st.none(), st.lists(IDENTIFIERS, min_size=1, max_size=4).map(".".join))
VERSIONS = st.builds(Version, NUMBERS, NUMBERS, NUMBERS, PRERELEASES)


@given(VERSIONS, VERSIONS)
def test_precedence_orders_versions_as_the_semver_library_does(one: Version, other: Version):
    keys = precedence_key(one), precedence_key(other)
    assert (keys[0] > keys[1]) - (keys[0] < keys[1]) == one.compare(other)


def test_precedence_follows_the_example_of_the_specification():
    # SemVer 2.0.0, item 11.4
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2.0",
        "1.10.0",
        "2.0.0-0",
        "2.0.0",
    ]
    assert sorted(reversed(ordered), key=lambda v: precedence_key(parse_version(v))) == ordered


def test_precedence_ignores_build_metadata():
    one, other = parse_version("1.0.0+linux"), parse_version("1.0.0+mac.7")
    assert precedence_key(one) == precedence_key(other)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("1", "1.0.0"),
        ("v1", "1.0.0"),
        ("1.2", "1.2.0"),
        ("v1.0", "1.0.0"),
        ("v2.10.3", "2.10.3"),
        ("1-rc.1", "1.0.0-rc.1"),
        ("1.2+b.5", "1.2.0+b.5"),
        ("1.0.0-rc.1+build.5", "1.0.0-rc.1+build.5"),
        ("1.0.0--", "1.0.0--"),
    ],
)
def test_a_lenient_version_is_completed(text: str, full: str):
    assert str(parse_version(text)) == full


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v",
        "V1.0.0",
        "01.0.0",
        "1.02.0",
        "1.0.0.0",
        "1.0.0-",
        "1.0.0-01",
        "1.0.0-a..b",
        "1.0.0+",
        "1.0.0-ä",
        "١.0.0",
        "1.0.0\n",
        " 1.0.0",
        "latest",
        "1.0.0-" + "a" * MAX_VERSION_LENGTH,
    ],
)
def test_what_is_no_semantic_version_is_refused(text: str):
    with pytest.raises(InvalidInput, match="is not a semantic version"):
        parse_version(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sentiment", Reference("sentiment", None, None)),
        ("sentiment@1.2.0", Reference("sentiment", "1.2.0", None)),
        ("sentiment@v1.2", Reference("sentiment", "v1.2", None)),
        ("sentiment@latest", Reference("sentiment", "latest", None)),
        ("sentiment@champion", Reference("sentiment", "champion", None)),
        ("model-3f9a0c55d1e2", Reference(None, None, "model-3f9a0c55d1e2")),
        ("model-3f9a", Reference("model-3f9a", None, None)),
        ("models:/sentiment", Reference("sentiment", None, None)),
        ("models:/sentiment/1.2.0", Reference("sentiment", "1.2.0", None)),
        ("models:/sentiment@champion", Reference("sentiment", "champion", None)),
        ("models://sentiment/1", Reference("sentiment", "1", None)),
    ],
)
def test_a_reference_has_one_grammar(text: str, expected: Reference):
    assert parse_reference(text) == expected


@pytest.mark.parametrize("text", ["sentiment", "sentiment@1.2.0", "model-3f9a0c55d1e2"])
def test_a_reference_is_written_as_it_was_read(text: str):
    assert str(parse_reference(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must not be empty"),
        ("@1.0.0", "must not be empty"),
        ("sentiment@", "nothing follows the @"),
        ("sentiment@1.0.0@2.0.0", "neither a version nor an alias"),
        ("sentiment@../../x", "neither a version nor an alias"),
        ("sentiment@-1", "neither a version nor an alias"),
        ("sentiment@" + "a" * (MAX_VERSION_LENGTH + 1), "at most 128 characters"),
        ("sentiment@\ud800", r"\\ud800 is neither"),
        ("models:/a/b/c", "neither a version nor an alias"),
        ("models:", "cannot be the name of a model"),
    ],
)
def test_a_bad_reference_is_refused_with_the_reason(text: str, reason: str):
    with pytest.raises(InvalidInput, match=reason):
        parse_reference(text)


@pytest.mark.parametrize("name", ["a", "_x", "Churn_2.v-1", "été", "情感", "हिन्दी", "x" * 128, "0"])
def test_names_of_every_script_are_taken(name: str):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../etc/passwd", id="path"),
        pytest.param("a/b", id="slash"),
        pytest.param("a\\b", id="backslash"),
        pytest.param("..", id="dots"),
        pytest.param(".hidden", id="leading-dot"),
        pytest.param("-rf", id="leading-dash"),
        pytest.param("name.", id="trailing-dot"),
        pytest.param("a:b", id="colon"),
        pytest.param("a b", id="space"),
        pytest.param("a\x00b", id="nul"),
        pytest.param("a\nb", id="newline"),
        pytest.param("a\x1b[31m", id="escape"),
        pytest.param("a\x9b", id="c1"),
        pytest.param("a\u202eb", id="bidi"),
        pytest.param("a\u200bb", id="zero-width"),
        pytest.param("a\u2028b", id="line-separator"),
        pytest.param("a\ufeffb", id="byte-order-mark"),
        pytest.param("a\u3164", id="hangul-filler"),
        pytest.param("a\ufe0f", id="variation-selector"),
        pytest.param("a\U000e0100", id="ideographic-selector"),
        pytest.param("a\u034fb", id="grapheme-joiner"),
        pytest.param("\u0301abc", id="leading-mark"),
        pytest.param("a\ud800", id="surrogate"),
        pytest.param("a🙂", id="emoji"),
        pytest.param("$(id)", id="shell"),
        pytest.param("model-0123456789ab", id="id"),
        pytest.param("x" * (MAX_NAME_BYTES + 1), id="long"),
        pytest.param("é" * 65, id="long-in-bytes"),
        pytest.param(" ", id="blank"),
    ],
)
def test_a_name_that_could_mislead_is_refused_visibly(name: str):
    with pytest.raises(InvalidInput) as caught:
        check_name(name)
    assert caught.value.message.isprintable()
    caught.value.message.encode()


@given(st.text(max_size=20))
@example("e\u0301")
def test_a_taken_name_is_stable_printable_and_no_path(text: str):
    try:
        name = check_name(text)
    except InvalidInput:
        return
    assert check_name(name) == name == unicodedata.normalize("NFC", text)
    assert not set(name) & set("/\\:@ ")
    assert safe(name) == name
    assert parse_reference(f"{name}@1.0.0") == Reference(name, "1.0.0", None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Churn", "churn"),
        ("café", "cafe\u0301"),
        ("ｃｈｕｒｎ", "churn"),
        ("ﬁt", "fit"),
        ("straße", "STRASSE"),
        ("K", "k"),
        ("churn²", "churn2"),
    ],
)
def test_names_that_differ_only_in_form_have_one_key(one: str, other: str):
    assert name_key(one) == name_key(other)


@given(st.text(max_size=20))
def test_the_key_of_a_key_is_itself(text: str):
    assert name_key(name_key(text)) == name_key(text)


@pytest.mark.parametrize("alias", ["champion", "v2beta", "_x", "rc.1", "A" * 64])
def test_an_alias_is_a_word(alias: str):
    assert check_alias(alias) == alias == check_selector(alias)


@pytest.mark.parametrize(
    "alias", ["latest", "1.0.0", "v1", "2", "1-x", "", "-x", "a b", "é", "A" * 65, "a\n"]
)
def test_an_alias_that_reads_as_something_else_is_refused(alias: str):
    with pytest.raises(InvalidInput, match="cannot be an alias"):
        check_alias(alias)


@pytest.mark.parametrize("key", ["f1Score", "_a", "a.b-c", "x" * 64])
def test_a_key_is_a_word(key: str):
    assert check_key(key, "metric") == key


@pytest.mark.parametrize("key", ["", "1a", "a b", 'a"b', "x" * 65, "é", 7, None])
def test_a_key_that_is_no_word_is_refused(key: object):
    with pytest.raises(InvalidInput, match="is not a name for a metric"):
        check_key(key, "metric")


def test_free_text_of_every_kind_is_kept():
    text = "Zeile 1\nZeile 2\t🙂 \u202e"
    assert check_text(text, "reason") == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\0b", "NUL"),
        ("\ud800", "not valid Unicode"),
        ("x" * (MAX_TEXT_LENGTH + 1), "at most 10000"),
        (42, "must be a text, not 42"),
        (None, "must be a text"),
    ],
)
def test_free_text_that_cannot_be_stored_is_refused(text: object, reason: str):
    with pytest.raises(InvalidInput, match=f"the reason .*{reason}"):
        check_text(text, "reason")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode", "plain ünïcode"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\u202eb", r"a\u202eb"),
        ("a\x9bb", r"a\x9bb"),
        ("a\nb\u2028c", r"a\nb\u2028c"),
        ("a\ud800", r"a\ud800"),
        ("a\u3164", r"a\u3164"),
        ("👨\u200d👩", "👨\u200d👩"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_safe_shows_what_a_terminal_would_hide(text: str, shown: str):
    assert safe(text) == shown


@given(st.text(st.characters(), max_size=50))
def test_safe_text_can_always_be_printed(text: str):
    shown = safe(text)
    shown.encode()
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in shown)
