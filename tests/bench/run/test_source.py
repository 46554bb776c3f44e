import pytest

from bench.catalog import method_class
from bench.run.source import source_digest

CLASS = '''
from dataclasses import dataclass
{imports}
@dataclass
class Mine:
    """{doc}"""
    def answer(self):
        {comment}
        return {value}
'''


@pytest.fixture
def digest(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    shared = tmp_path / "bench_shared_part"
    shared.mkdir()
    (shared / "__init__.py").write_text("")

    def of(imports="", doc="one", comment="pass", value=1, part="x = 1"):
        (shared / "part.py").write_text(part)
        file = tmp_path / "mine.py"
        file.write_text(CLASS.format(imports=imports, doc=doc, comment=comment, value=value))
        return source_digest(method_class(f"{file}:Mine"))

    return of


def test_an_edited_line_changes_the_digest_and_a_comment_or_docstring_does_not(digest):
    assert digest(doc="two") == digest()
    assert digest(comment="pass  # because") == digest()
    assert digest(value=2) != digest()


def test_a_shared_package_counts_where_it_is_imported(digest):
    imports = "from bench_shared_part import part"
    assert digest(imports, part="x = 2") != digest(imports)
    assert digest(part="x = 2") == digest()


def test_the_built_in_methods_bring_their_package_and_the_shared_ones():
    assert source_digest(method_class("popularity")) == source_digest(method_class("item_cf"))
    assert source_digest(method_class("popularity")) != source_digest(method_class("dvf"))
