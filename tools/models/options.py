"""Settings behind a model's name in a spec: `qwen2vl:DIR?dtype=bfloat16&quantize=int8`."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.errors import UsageError


def split_options(argument: str) -> tuple[str, dict[str, str]]:
    """What stands before the "?" of a backend's argument, and the settings behind it.

    Raises:
        UsageError: a setting without a value, or given twice.

    Example:
        >>> split_options("models/qwen?dtype=float32&tiles=9")
        ('models/qwen', {'dtype': 'float32', 'tiles': '9'})
    """
    source, _, tail = argument.partition("?")
    options: dict[str, str] = {}
    for entry in filter(None, tail.split("&")):
        key, equals, value = (part.strip() for part in entry.partition("="))
        if not equals or not key or not value:
            raise UsageError(f"the setting {entry!r} of {argument!r} has no value; write KEY=VALUE&KEY=VALUE")
        if key in options:
            raise UsageError(f"the setting {key!r} is given twice in {argument!r}; give it once")
        options[key] = value
    return source, options


def check_names(options: dict[str, str], known: Iterable[str], what: str) -> None:
    """Raises UsageError for a setting that `what` does not have; lists those it has."""
    names = tuple(known)
    unknown = [key for key in options if key not in names]
    if unknown:
        raise UsageError(f"{what} has no setting {unknown[0]!r}; it has: {', '.join(names)}")


def number_of(options: dict[str, str], key: str, default: int, least: int = 1) -> int:
    """The whole number of a setting, `default` where it is not given. Raises UsageError for anything below `least`."""
    text = options.get(key)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) < least:
        raise UsageError(f"the setting {key}={text!r} is no whole number from {least} on")
    return int(text)


def flag_of(options: dict[str, str], key: str, default: bool) -> bool:
    """The yes or no of a setting. Raises UsageError for another word."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    text = options.get(key)
    if text is None:
        return default
    if text.lower() not in words:
        raise UsageError(f"the setting {key}={text!r} is neither true nor false")
    return words[text.lower()]
