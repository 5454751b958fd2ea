"""The warning codes: documented, and no two alike."""

from pathlib import Path

from mlreg.stats import codes

DOCUMENT = Path(__file__).parents[2] / "docs" / "statistics.md"
CODES = {name: value for name, value in vars(codes).items() if name.isupper()}


def test_every_code_is_its_name_in_small_letters():
    assert {name.lower() for name in CODES} == set(CODES.values())


def test_every_code_is_explained_in_the_documentation():
    text = DOCUMENT.read_text("utf-8")
    assert [code for code in CODES.values() if f"| `{code}` |" not in text] == []
