"""`surveyor train`: recipes that make or change models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..finetune.sft.run import Forecast

train = typer.Typer(no_args_is_help=True, help="Train models: fine-tune a vision-language model (sft).")

EPILOG = (
    "Examples:  [bold]surveyor train sft sft.yaml --dry-run[/bold]   "
    "[bold]surveyor train sft sft.yaml lr=1e-4 out=runs/slower[/bold]"
)
Config = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Settings of the run.", show_default=False)]
Changes = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings that win over the file's.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything, count tokens, estimate steps and memory; train nothing.")
]


@train.callback()
def recipes() -> None:
    """Train models."""


@train.command(epilog=EPILOG)
def sft(config: Config, changes: Changes = None, dry_run: DryRun = False) -> None:
    """Fine-tune Qwen2-VL, 2.5 or 3 on instruction records.

    LoRA or all weights. The same command goes on with a run that was
    stopped or killed. Several GPUs: start it with torchrun or accelerate
    launch, as docs/finetune_sft.md shows. Prints the folder of the result.
    """
    from ..core.errors import MissingDependency
    from ..core.progress import listening
    from ..finetune.sft.config import load_config
    from .progress_bar import shown_progress

    settings = load_config(config, changes or ())
    try:
        from ..finetune.sft import run as recipe
    except ImportError as error:
        if isinstance(error, MissingDependency):
            raise
        raise MissingDependency(f"surveyor train sft ({error.name or error})", 'pip install "surveyor[qwen]"') from None
    is_first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started
    with shown_progress() as listener, listening(listener if is_first else None):
        if dry_run:
            found = recipe.forecast(settings)
        else:
            done = recipe.train(settings)
    if not is_first:
        return
    if dry_run:
        _print_forecast(found)
    else:
        _print_done(done.folder, done.metrics)


def _print_forecast(told: Forecast) -> None:
    from rich.table import Table

    from .screen import data

    gib, memory = 2**30, told.memory
    left = ", ".join(f"{count} {reason}" for reason, count in told.left_out.items()) or "none"
    rows = {
        "records": f"{sum(told.tasks.values())}: " + ", ".join(f"{task} {count}" for task, count in told.tasks.items()),
        "left out": left,
        "held out": str(told.held_out),
        "tokens": f"{told.tokens} in all, {told.replied} of replies, {told.longest} the longest record",
        "padding": f"{told.padding:.1%} of what is read",
        "steps": f"{told.steps} ({told.epochs:.2f} epochs)",
        "weights": f"{told.weights / 1e6:.1f} M, of which {told.learning / 1e6:.2f} M learn",
        "memory": f"about {memory.total / gib:.1f} GiB a GPU: weights {memory.weights / gib:.1f}, what learns "
        f"{memory.learning / gib:.1f}, activations {memory.activations / gib:.1f}, logits {memory.logits / gib:.1f} "
        "(an estimate, without sharding)",
    }
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for name, value in rows.items():
        table.add_row(name, value)
    data().print(table)


def _print_done(folder: Path, metrics: dict[str, float]) -> None:
    from .screen import data, talk

    kept = ("train_loss", "eval_loss", "eval_score")
    told = ", ".join(f"{key.replace('_', ' ')} {metrics[key]:.4g}" for key in kept if key in metrics)
    if told:
        talk().print(told, soft_wrap=True)
    data().print(str(folder), soft_wrap=True)
