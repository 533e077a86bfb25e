"""Small checkpoints for tests, each made once a session: Qwen-VL of every family, one overfitted, a trained SAM-2.

Import the fixtures `checkpoints`, `overfitted`, `sam2` and `one_thread` (autouse) into a test module to use them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from surveyor.tools.models.prompting import Picture, Prompt
from surveyor.tools.models.tasks import Asking

FAMILIES = ("qwen2-vl", "qwen2.5-vl", "qwen3-vl")
MISSING = [name for name in ("torch", "transformers", "llguidance", "peft") if find_spec(name) is None]
local = [
    pytest.mark.torch,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    # transformers and torch speak of their own futures
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"),
]
# glibc would give every tensor's memory back to the kernel: training takes 2 to 6 times as long without these
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "17179869184"}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """torch on one thread, where a module imports this: models so small are slower on several."""
    if MISSING:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Family -> folder of a tiny checkpoint with random weights. Copy it before you change it."""

    def folder_of(family: str) -> Path:
        def make(place: Path) -> None:
            from surveyor.finetune.scratch.qwen2vl import make_qwen2vl

            make_qwen2vl(place, family=family)

        return made_once(tmp_path_factory, family, make)

    return folder_of


@pytest.fixture(scope="session")
def overfitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny Qwen2-VL that knows the lessons of `finetune.scratch.overfit` by heart; do not change it."""

    def make(place: Path) -> None:
        _train(["-m", "surveyor.finetune.scratch.overfit"], place)

    return made_once(tmp_path_factory, "overfitted", make)


@pytest.fixture(scope="session")
def sam2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a SAM-2 that has learnt, in half a minute, to give the shape that a box encloses."""
    code = (
        "import sys; from surveyor.finetune.scratch.sam2 import make_sam2_hub, train_on_boxes; "
        "train_on_boxes(make_sam2_hub(sys.argv[1], seed=0, size=64), seed=0)"
    )
    return made_once(tmp_path_factory, "sam2", lambda place: _train(["-c", code], place))


def _train(command: Sequence[str], place: Path) -> None:
    settings = {**os.environ, **ALLOCATOR, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command, str(place)], capture_output=True, text=True, timeout=900, env=settings
    )
    assert done.returncode == 0, done.stderr


def copied(folder: Path, to: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(folder, to)
    return to


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name, filled by whoever comes first of all tests and workers of the session."""
    from filelock import FileLock  # comes with huggingface-hub

    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    place = shared / f"checkpoint-{name}"
    with FileLock(f"{place}.lock"):
        if not place.exists():
            unfinished = place.with_name(f"{place.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(place)
    return place


# ---- engines that are worth comparing


def made_talkative(engine: Any, seed: int = 0) -> Any:
    """The engine with weights under which greedy replies differ by image and question and hardly repeat a token.

    A transformer that was just initialised, with tied embeddings, says its last token again and again.
    """
    import torch
    from surveyor.tools.models.qwen2vl.loading import load

    engine._loaded = load(engine.checkpoint, engine.settings)  # engines share weights: these are its own
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, weight in engine.loaded.base.named_parameters():
            if "embed_tokens" in name:
                weight.normal_(0, 0.3)
            elif weight.ndim == 2 and "lm_head" not in name and "pos_embed" not in name:
                gain = 3 if "o_proj" in name or "down_proj" in name else 2
                weight.normal_(0, gain / weight.shape[1] ** 0.5)
    return engine


def picture_of(seed: int, size_wh: tuple[int, int], native_wh: tuple[int, int] | None = None) -> Picture:
    """A picture of noise, shown at a size; its pixels may be of another."""
    width, height = native_wh or size_wh
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Picture(f"noise {seed} {width} {height}", size_wh, lambda: pixels)


def asks(text: str, *pictures: Picture, tokens: int = 24, grammar: str | None = None, task: str = "vqa") -> Prompt:
    """A prompt in plain words."""
    return Prompt(pictures, Asking(task, text, grammar, str, tokens, str))


def plain_ids(engine: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of texts."""
    return [engine.loaded.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]


# ---- adapters


def make_adapter(
    folder: Path, base: Path, *, seed: int = 0, scale: float = 0.2, targets: Sequence[str] = ("q_proj", "down_proj")
) -> Path:
    """A LoRA adapter of a checkpoint, as peft saves it, with random weights that change replies."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_pretrained(base)
        tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=list(targets)))
        for name, weight in tuned.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, scale)
        tuned.save_pretrained(folder)
    return folder
