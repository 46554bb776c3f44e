"""One method's hooks, checked and ready to be called."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pluggy

from bench import hookspecs
from bench.errors import HookError, UnknownName

REQUIRED = ("train", "index", "query")


def connect(method: object) -> pluggy.HookRelay:
    """The hooks of `method`, each called by keyword: `hooks.query(requests=..., k=..., context=...)`.

    A hook that the method does not implement answers None. Raises HookError for a hook that is missing, misspelt or
    takes an argument that its specification does not have.
    """
    name = f"{type(method).__module__}.{type(method).__qualname__}"
    manager = pluggy.PluginManager("bench")
    manager.add_hookspecs(hookspecs)
    known = {caller: _arguments(getattr(hookspecs, caller)) for caller in vars(manager.hook) if caller[0] != "_"}
    try:
        manager.register(method, name)
    except pluggy.PluginValidationError as error:
        raise HookError(f"{name}: {_mismatch(method, known) or error}") from None
    # Not get_hookcallers(method): it compares plugins by ==, and a dataclass compares its (unset) learnt state.
    callers = [caller for name, caller in vars(manager.hook).items() if name[0] != "_"]
    unknown = [caller.name for caller in callers if not caller.has_spec()]
    if unknown:
        raise HookError(f"{name} implements {_named(unknown)}: {UnknownName('hook', unknown[0], known)}")
    missing = [hook for hook in REQUIRED if not implements(manager.hook, hook)]
    if missing:
        raise HookError(f"{name} {_missing(method, missing)}")
    return manager.hook


def implements(hooks: pluggy.HookRelay, hook: str) -> bool:
    """Whether the method has `hook`."""
    return bool(getattr(hooks, hook).get_hookimpls())


def _arguments(function: Callable[..., object]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty]


def _mismatch(method: object, known: dict[str, list[str]]) -> str | None:
    """What is wrong with the arguments of the first wrongly declared hook."""
    for hook, offered in known.items():
        function = getattr(method, hook, None)
        if not inspect.isroutine(function):
            continue
        strange = [name for name in _arguments(function) if name not in offered]
        if strange:
            return (
                f"{hook}() asks for {_named(strange)}; it may ask for any of {', '.join(offered)}, by these names. "
                f"Rename the argument or give it a default."
            )
    return None


def _missing(method: object, missing: list[str]) -> str:
    bare = [hook for hook in missing if inspect.isroutine(getattr(method, hook, None))]
    if bare:
        return f"has {_named(bare)} without @hookimpl: put it above the method (from bench import hookimpl)"
    return f"lacks {_named(missing)}: a method implements {', '.join(REQUIRED)}, each below @hookimpl"


def _named(hooks: list[str]) -> str:
    return ", ".join(f"{hook!r}" for hook in hooks)
