"""What a spec's argument names: checkpoint, revision, adapters, settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from surveyor.core.errors import UsageError
from surveyor.tools.models.options import check_names, flag_of, number_of, split_options
from surveyor.tools.models.qwen2vl.settings import TASKS, Checkpoint, Settings, checkpoint_and_settings

# ---- options


@pytest.mark.parametrize(
    ("argument", "source", "options"),
    [
        ("", "", {}),
        ("models/qwen", "models/qwen", {}),
        ("models/qwen?", "models/qwen", {}),
        ("m?a=1", "m", {"a": "1"}),
        ("m? a = 1 &b=x=y&&", "m", {"a": "1", "b": "x=y"}),
        ("m?a=?", "m", {"a": "?"}),
    ],
)
def test_settings_behind_a_name(argument, source, options):
    assert split_options(argument) == (source, options)


@pytest.mark.parametrize("tail", ["a", "a=", "=1", "a=1&b", " =1", "a=1&a=1", "a=1&a=2"])
def test_settings_that_are_none(tail):
    with pytest.raises(UsageError, match="setting"):
        split_options(f"m?{tail}")


def test_unknown_names_list_the_known_ones():
    check_names({"a": "1"}, ("a", "b"), "it")
    with pytest.raises(UsageError, match=r"it has no setting 'c'; it has: a, b"):
        check_names({"a": "1", "c": "1"}, ("a", "b"), "it")


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "", "x", "٣", "²", "0x10", "1_000", "9" * 5000, " 5", "0"])
def test_numbers_that_are_none(text):
    with pytest.raises(UsageError, match="n="):
        number_of({"n": text}, "n", 7)


def test_numbers_and_flags():
    assert number_of({}, "n", 7) == 7
    assert number_of({"n": "0012"}, "n", 7) == 12
    assert number_of({"n": "0"}, "n", 7, least=0) == 0
    for word, value in (("true", True), ("YES", True), ("1", True), ("False", False), ("no", False), ("0", False)):
        assert flag_of({"f": word}, "f", not value) is value
    assert flag_of({}, "f", True) is True
    with pytest.raises(UsageError, match="neither true nor false"):
        flag_of({"f": "maybe"}, "f", True)


# ---- settings


def test_every_setting_can_be_given():
    options = {
        "dialect": "qwen3-vl", "dtype": "float16", "device": "cuda:1", "device_map": "auto", "attention": "eager",
        "quantize": "4bit", "merge": "yes", "guided": "no", "min_pixels": "3136", "max_pixels": "9999",
        "max_tokens": "5", "batch": "2", "prefix_mb": "0", "ground": "seg", "views": "tiles", "most_views": "4",
        "overlap": "0", "second_look": "32", "retries": "0",
    }  # fmt: skip
    made = Settings.of(options)
    assert set(options) == set(Settings.__dataclass_fields__)
    for name, text in options.items():
        value = getattr(made, name)
        assert value != getattr(Settings(), name)
        assert str(value) == {"yes": "True", "no": "False"}.get(text, text)
    assert Settings.of({}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dialect", "martian"), ("dtype", "int3"), ("attention", "none"), ("quantize", "8"), ("ground", "both"),
        ("views", "all"), ("merge", "perhaps"), ("batch", "0"), ("most_views", "0"), ("retries", "-1"),
        ("max_pixels", "1k"), ("temperature", "1"), ("Batch", "2"),
    ],
)  # fmt: skip
def test_settings_that_are_refused(name, value):
    with pytest.raises(UsageError, match=name):
        Settings.of({name: value})


def test_settings_that_share_one_model():
    assert Settings(batch=1, guided=False).loading == Settings().loading
    for name, value in {"dtype": "float16", "device": "cpu", "quantize": "int8", "merge": True}.items():
        assert Settings(**{name: value}).loading != Settings().loading


# ---- checkpoints


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with folders that have awkward names, and a file."""
    names = ["base", "plus+plus", "at@v1", "a", "a+b", "a+b+c", "ad", "ad+2", "Qwen/X", "det=odd", "a+ad", "with space"]
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file.safetensors").write_text("x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "source", "revision", "adapters"),
    [
        ("base", "base", None, {}),
        ("./base", "base", None, {}),
        ("with space", "with space", None, {}),
        ("plus+plus", "plus+plus", None, {}),
        ("at@v1", "at@v1", None, {}),
        ("base+ad", "base", None, {"": "ad"}),
        ("plus+plus+ad", "plus+plus", None, {"": "ad"}),
        ("at@v1+ad+2", "at@v1", None, {"": "ad+2"}),
        ("base+seg=ad+2+ad", "base", None, {"seg": "ad+2", "": "ad"}),
        ("base+det=ad+seg=ad+change=plus+plus", "base", None, {"det": "ad", "seg": "ad", "change": "plus+plus"}),
        ("a+b", "a+b", None, {}),
        ("a+b+c", "a+b+c", None, {}),
        ("a+ad", "a+ad", None, {}),
        ("a+b+ad", "a+b", None, {"": "ad"}),
        ("base+det=det=odd", "base", None, {"det": "det=odd"}),
        ("base+./det=odd", "base", None, {"": "det=odd"}),
        ("Qwen/Qwen2-VL-2B-Instruct", "Qwen/Qwen2-VL-2B-Instruct", None, {}),
        ("Qwen/Qwen2-VL-2B-Instruct@main", "Qwen/Qwen2-VL-2B-Instruct", "main", {}),
        ("Qwen/Qwen2-VL-2B-Instruct@refs/pr/3+ad", "Qwen/Qwen2-VL-2B-Instruct", "refs/pr/3", {"": "ad"}),
        ("gpt2@v1.0+count=ad", "gpt2", "v1.0", {"count": "ad"}),
        ("Qwen/X", "Qwen/X", None, {}),
    ],
)
def test_what_a_spec_names(here: Path, text: str, source: str, revision: str | None, adapters: dict[str, str]) -> None:
    assert Checkpoint.of(text) == Checkpoint(source, revision, adapters)
    if not text.startswith((".", "Q", "gpt2", "base+./")):
        absolute = Checkpoint.of(f"{here}/{text}")
        assert absolute == Checkpoint(f"{here}/{source}", revision, adapters)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no checkpoint"),
        ("   ", "names no checkpoint"),
        ("@main", "names no checkpoint"),
        ("+ad", "names no checkpoint"),
        ("./nowhere", "no checkpoint folder './nowhere'"),
        ("/nowhere/at/all", "no checkpoint folder"),
        ("~/nowhere-at-all", "no checkpoint folder"),
        ("~nobody-of-that-name/x", "no checkpoint folder"),
        ("file.safetensors", "no checkpoint folder"),
        ("one/two/three", "no checkpoint folder"),
        ("with  spaces", "no checkpoint folder"),
        ("x" * 5000 + "/" + "y" * 5000 + "/z", "no checkpoint folder"),
        ("base\0", "no checkpoint folder"),
        ("base@main", "only a hub name has revisions"),
        ("./base@main", "only a hub name has revisions"),
        ("/nowhere@main", "only a hub name has revisions"),
        ("Qwen/Other@", "only a hub name has revisions"),
        ("base+nowhere", "no adapter folder 'nowhere'"),
        ("base+", "no adapter folder ''"),
        ("base+det=", "no adapter folder ''"),
        ("base+ad+", "no adapter folder ''"),
        ("base+file.safetensors", "no adapter folder"),
        ("base+paint=ad", "no adapter folder 'paint=ad'.*TASK=FOLDER"),
        ("base+ad+ad", "two adapters for all tasks"),
        ("base+det=ad+det=a", "two adapters for det"),
        ("Qwen/Other+nowhere", "no adapter folder 'nowhere'"),
    ],
)
def test_specs_that_name_nothing(here: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Checkpoint.of(text)


def test_a_folder_of_the_home(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    assert Checkpoint.of("~/base+seg=~/ad") == Checkpoint(f"{here}/base", None, {"seg": f"{here}/ad"})


@given(st.text("ab+@=/.~ \0?", max_size=12) | st.text(max_size=12))
def test_any_text_names_something_or_is_refused(text):
    try:
        made = Checkpoint.of(text)
    except UsageError:
        return
    assert made.source and set(made.adapters) <= {"", *TASKS}
    assert all(Path(folder).is_dir() for folder in made.adapters.values())


def test_both_parts_of_an_argument(here: Path) -> None:
    checkpoint, made = checkpoint_and_settings("base+seg=ad?ground=seg&batch=8")
    assert checkpoint == Checkpoint("base", None, {"seg": "ad"})
    assert made == Settings(ground="seg", batch=8)
