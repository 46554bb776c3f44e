from importlib.metadata import EntryPoint

import pytest

from bench import catalog
from bench.errors import HookError, Unavailable, UnknownName, UsageError


def test_two_plugins_of_one_name_are_refused_by_naming_both():
    found = [EntryPoint("lsh", "one:LSH", catalog.METHODS), EntryPoint("lsh", "two:LSH", catalog.METHODS)]
    with pytest.raises(UsageError, match=r"one:LSH.*two:LSH"):
        catalog.entries(catalog.METHODS, found)


def test_a_plugin_that_fails_on_import_stays_listed_and_says_why_when_loaded(tmp_path, monkeypatch):
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(tmp_path)
    listed = catalog.entries(catalog.METHODS, [EntryPoint("broken", "broken_plugin:Method", catalog.METHODS)])
    with pytest.raises(Unavailable, match=r"broken.*RuntimeError: no licence"):
        listed["broken"].load()


def test_a_mistyped_method_gets_the_nearest_name():
    with pytest.raises(UnknownName, match="Did you mean 'popularity'"):
        catalog.method_class("popularty")


def test_a_file_without_a_class_says_how_to_name_one():
    with pytest.raises(UsageError, match=r"say which class of it is the method, mine\.py:CLASS"):
        catalog.method_class("mine.py")


def test_a_method_from_a_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from dataclasses import dataclass\n@dataclass\nclass Mine: ...\nclass Bare: ...\n")
    assert catalog.method_class(f"{file}:Mine").__name__ == "Mine"
    with pytest.raises(UnknownName, match="Did you mean 'Mine'"):
        catalog.method_class(f"{file}:Mien")
    with pytest.raises(HookError, match="@dataclass"):
        catalog.method_class(f"{file}:Bare")
    with pytest.raises(UsageError, match="there is no file"):
        catalog.method_class(f"{tmp_path}/other.py:Mine")
    file.write_text("1/0")
    with pytest.raises(Unavailable, match="ZeroDivisionError"):
        catalog.method_class(f"{file}:Mine")


WRAPPED = """
from dataclasses import dataclass

@dataclass
class Mine: ...

def around(name, held):
    @dataclass
    class Around:
        what = (name, held)
    return Around
"""


def test_a_wrapper_makes_a_method_of_the_one_that_it_holds(tmp_path, monkeypatch):
    file = tmp_path / "wrapping_plugin.py"
    file.write_text(WRAPPED)
    monkeypatch.syspath_prepend(tmp_path)
    wrapper = catalog.Entry("around", "wrapping_plugin:around", "here")
    installed = catalog.entries
    monkeypatch.setattr(
        catalog, "entries", lambda group: {"around": wrapper} if group == catalog.WRAPPERS else installed(group)
    )
    name, held = catalog.method_class(f"around:{file}:Mine").what
    assert name == f"{file}:Mine" and held.__name__ == "Mine"
    assert catalog.parted("around:around:mine") == ("around:", "around:mine")
    assert catalog.parted(f"{file}:Mine") == ("", f"{file}:Mine")
    with pytest.raises(UsageError, match="around holds another method: say which, around:METHOD"):
        catalog.method_class("around")
    with pytest.raises(UnknownName, match="around:METHOD"):
        catalog.method_class("nowhere")
