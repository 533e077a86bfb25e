"""Language models on this machine: Hugging Face causal models, GGUF files too, through transformers.

Replies are held to a JSON schema token by token (llguidance). Weights load on first use; one reply at a time.
"""

from __future__ import annotations

import io
import json
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.budget import charge, check
from ...core.errors import MissingDependency, ModelOutputError, UsageError
from .guidance import GrammarProcessor
from .guide import COMMAND, Guide

if TYPE_CHECKING:
    import torch

_TUNED = "surveyor.json"
"""Beside an adapter of finetune/parser/train.py: which prompt it was trained with."""


class LocalChat:
    """A chat model from a folder, a GGUF file, a peft adapter's folder, or a name on the Hugging Face hub.

    Args:
        source: the path or name.
        max_tokens: of a reply.
        device: "cpu", "cuda" ...; None takes a GPU when there is one.
    """

    def __init__(self, source: str, *, max_tokens: int = 700, device: str | None = None) -> None:
        path = Path(source).expanduser()
        looks_like_path = source.endswith(".gguf") or source.startswith((".", "/", "~"))
        if looks_like_path and not path.exists():
            raise UsageError(f"there is no language model at {source!r}; expected a folder or a GGUF file")
        self.name = f"hf:{source}"
        self._source = str(path) if path.exists() else source
        self._max_tokens, self._device = max_tokens, device
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        self.prompt = _tuned_prompt(path)

    @classmethod
    def of(cls, model: Any, tokenizer: Any, *, name: str, max_tokens: int = 700) -> LocalChat:
        """A chat model of weights that are loaded already, e.g. while they are being trained."""
        chat = cls(name, max_tokens=max_tokens)
        chat._loaded = (model, tokenizer)
        return chat

    def complete(self, messages: Sequence[dict[str, str]], schema: dict[str, object] | None = None) -> str:
        """The reply's text (greedy), JSON that fits `schema` where one is given.

        Raises:
            MissingDependency: transformers, torch, llguidance, gguf or peft is not installed.
            UsageError: the weights cannot be loaded, or the messages are too long for the model.
            ModelOutputError: the reply was cut off.
        """
        charge(calls=1)
        ((text, ended),) = self._generate([messages], schema)
        if not ended:
            raise ModelOutputError(f"the reply was cut off after {self._max_tokens} tokens", text)
        return text

    def complete_all(
        self, conversations: Sequence[Sequence[dict[str, str]]], schema: dict[str, object] | None = None
    ) -> list[str]:
        """Replies to several conversations at once, much faster than one by one; a reply may be cut off."""
        charge(calls=len(conversations))
        return [text for text, _ in self._generate(conversations, schema)]

    def _generate(
        self, conversations: Sequence[Sequence[dict[str, str]]], schema: dict[str, object] | None
    ) -> list[tuple[str, bool]]:
        """Each reply, and whether the model ended it itself."""
        with self._lock:
            if self._loaded is None:
                self._loaded = load_causal(self._source, self._device)
            model, tokenizer = self._loaded
            import torch

            tokenizer.padding_side = "left"
            if tokenizer.pad_token_id is None:
                tokenizer.pad_token = tokenizer.eos_token
            inputs = tokenizer.apply_chat_template(
                [list(messages) for messages in conversations],
                add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True,
            ).to(model.device)  # fmt: skip
            length = int(inputs["input_ids"].shape[1])
            room = int(getattr(model.config, "max_position_embeddings", 1 << 30)) - length
            if room < 64:
                raise UsageError(f"{self.name} has room for {room + length} tokens, the messages alone take {length}")
            processors: list[Any] = [_Bounds()]
            if schema is not None:
                processors.append(SchemaProcessor(tokenizer, schema, length, len(conversations)))
            with torch.inference_mode():
                out = model.generate(
                    **inputs,
                    max_new_tokens=min(self._max_tokens, room),
                    do_sample=False,
                    temperature=None,
                    top_p=None,
                    top_k=None,
                    pad_token_id=tokenizer.pad_token_id,
                    logits_processor=processors,
                )
            new = out[:, length:]
            charge(tokens=int(inputs["attention_mask"].sum()) + new.numel())
            ends = _ends(model, tokenizer)
            texts = tokenizer.batch_decode(new, skip_special_tokens=True)
            return [(text, bool(ends.intersection(row.tolist()))) for text, row in zip(texts, new, strict=True)]


class _Bounds:
    """Stops between tokens when the run was cancelled or its time is over."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        check()
        return scores


class SchemaProcessor(GrammarProcessor):
    """A transformers logits processor that leaves only tokens by which the reply can still fit the schema.

    Args:
        tokenizer: a fast Hugging Face tokenizer.
        schema: JSON schema in the part that llguidance knows.
        prompt_length: how many tokens of the sequences are the prompt, padding included.
        rows: how many sequences there are.
    """

    def __init__(self, tokenizer: Any, schema: dict[str, object], prompt_length: int, rows: int = 1) -> None:
        super().__init__(Guide.of(tokenizer), schema, prompt_length=prompt_length, rows=rows)


def load_causal(source: str, device: str | None = None) -> tuple[Any, Any]:
    """(model, tokenizer) of a folder, a GGUF file, a peft adapter's folder or a hub name, ready to generate.

    Raises:
        MissingDependency: a package is missing.
        UsageError: the weights cannot be loaded.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging
    except ImportError:
        raise MissingDependency("a local language model (chat=hf:...)", COMMAND) from None
    logging.disable_progress_bar()
    path = Path(source)
    adapter = path / "adapter_config.json"
    if adapter.is_file():
        return _with_adapter(path, json.loads(adapter.read_text("utf-8")), device)
    place, extra = (str(path.parent), {"gguf_file": path.name}) if source.endswith(".gguf") else (source, {})
    try:
        with _quietly():
            tokenizer = AutoTokenizer.from_pretrained(place, **extra)
            model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32 if extra else "auto", **extra)
    except ImportError as error:
        raise MissingDependency(f"the language model {source!r} ({error})", COMMAND) from None
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"the language model {source!r} cannot be loaded: {' '.join(str(error).split())}") from None
    if tokenizer.chat_template is None:
        raise UsageError(f"the language model {source!r} has no chat template; use an instruct model")
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).eval(), tokenizer


def _with_adapter(folder: Path, config: dict[str, Any], device: str | None) -> tuple[Any, Any]:
    try:
        from peft import PeftModel
    except ImportError:
        raise MissingDependency(f"the adapter {str(folder)!r}", COMMAND) from None
    base = str(config.get("base_model_name_or_path") or "")
    if not base:
        raise UsageError(f"{str(folder / 'adapter_config.json')!r} does not say which model it was trained on")
    if base.endswith(".gguf") and not Path(base).exists():
        raise UsageError(f"the adapter {str(folder)!r} was trained on {base!r}, which is not there")
    model, tokenizer = load_causal(base, device)
    with _quietly():
        return PeftModel.from_pretrained(model, str(folder)).eval(), tokenizer


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the progress bars of loading, and without the libraries' warnings to each other."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _tuned_prompt(path: Path) -> str | None:
    note = path / _TUNED
    if not note.is_file():
        return None
    try:
        return str(json.loads(note.read_text("utf-8"))["prompt"])
    except (json.JSONDecodeError, KeyError, TypeError):
        raise UsageError(f"{str(note)!r} cannot be read; expected {{'prompt': NAME}}") from None


def _ends(model: Any, tokenizer: Any) -> set[int]:
    ends = getattr(model.generation_config, "eos_token_id", None)
    listed = ends if isinstance(ends, list) else [ends]
    return {int(token) for token in (*listed, tokenizer.eos_token_id) if token is not None}
