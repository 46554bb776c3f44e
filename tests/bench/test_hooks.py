from dataclasses import dataclass

import pytest

from bench import hookimpl
from bench.errors import HookError
from bench.run.hooks import connect, implements


@dataclass
class Whole:
    @hookimpl
    def train(self):
        pass

    @hookimpl
    def index(self, catalog):
        self.size_ = catalog

    @hookimpl
    def query(self, k):
        return k + self.size_


def test_hooks_are_called_with_the_arguments_they_ask_for():
    hooks = connect(Whole())
    hooks.train(data=None, context=None)
    hooks.index(catalog=40, context=None)
    assert hooks.query(requests=None, k=2, context=None) == 42


def test_an_absent_optional_hook_answers_none():
    hooks = connect(Whole())
    assert hooks.score(requests=None, items=None, context=None) is None
    assert implements(hooks, "query")
    assert not implements(hooks, "score")


def test_a_misspelt_hook_is_named_with_the_nearest():
    @dataclass
    class Misspelt(Whole):
        @hookimpl
        def qurey(self, requests):
            pass

    with pytest.raises(HookError, match=r"Misspelt implements 'qurey': .*Did you mean 'query'"):
        connect(Misspelt())


def test_a_wrong_argument_is_named_with_the_right_ones():
    @dataclass
    class Wrong(Whole):
        @hookimpl
        def query(self, request, k, depth=3):
            pass

    with pytest.raises(HookError, match=r"query\(\) asks for 'request'; it may ask for any of requests, k, context"):
        connect(Wrong())


def test_a_missing_hook_is_named():
    @dataclass
    class Partial:
        @hookimpl
        def train(self):
            pass

        @hookimpl
        def index(self):
            pass

    with pytest.raises(HookError, match="lacks 'query'"):
        connect(Partial())


def test_a_hook_without_its_mark_is_told_so():
    @dataclass
    class Unmarked(Whole):
        def query(self, requests):
            pass

    with pytest.raises(HookError, match="'query' without @hookimpl"):
        connect(Unmarked())
