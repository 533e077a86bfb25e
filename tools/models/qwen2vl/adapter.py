"""A local Qwen vision-language checkpoint as grounder, describer and change detector, and for the other tasks."""

from __future__ import annotations

from ..pointing import Looking, PointingModel
from .engine import Engine, engine_at
from .settings import checkpoint_and_settings


class Qwen2VL(PointingModel):
    """Qwen2-VL, Qwen2.5-VL or Qwen3-VL weights, stock or trained on this project's format. Loads on first use.

    Args:
        engine: the weights; roles share one.
        name: for traces.

    Example (needs a checkpoint):
        >>> # Qwen2VL.at("models/qwen2-vl?views=adaptive").ground(scene, "plane")
    """

    answerer: Engine

    def __init__(self, engine: Engine, name: str) -> None:
        chosen = engine.settings
        looking = Looking(
            chosen.ground, chosen.views, chosen.most_views, chosen.overlap, chosen.second_look, chosen.retries
        )
        super().__init__(engine, name, looking)

    @classmethod
    def at(cls, argument: str) -> Qwen2VL:
        """The model of a spec's `DIR_OR_HUB_ID[@REVISION][+ADAPTER_DIR][?key=value&...]`.

        Raises:
            UsageError: no such folder, setting, or another kind of model.
        """
        checkpoint, _ = checkpoint_and_settings(argument)
        named = f"{checkpoint.source}{'@' + checkpoint.revision if checkpoint.revision else ''}"
        adapters = "".join(f"+{task + '=' if task else ''}{path}" for task, path in checkpoint.adapters.items())
        return cls(engine_at(argument), f"qwen2vl:{named}{adapters}")

    def load(self) -> None:
        """Brings the weights into memory now rather than at the first question."""
        _ = self.answerer.loaded

    def check_report(self) -> dict[str, str]:
        """What was loaded, for `surveyor models check`; loads the weights. Speed is that of all replies so far."""
        engine, loaded = self.answerer, self.answerer.loaded
        parameters = sum(each.numel() for each in loaded.model.parameters())
        beside = "" if engine.settings.quantize == "none" else f" beside those in {engine.settings.quantize}"
        least, most = engine.pixel_bounds
        report = {
            "class": type(loaded.base).__name__,
            "parameters": f"{parameters / 1e6:.1f} M{beside}",
            "dtype": str(loaded.base.dtype).removeprefix("torch."),
            "device": str(loaded.base.device),
            "dialect": engine.tasks.name,
            "coordinates": engine.tasks.dialect.coordinates,
            "image sizes": f"multiples of {engine.factor} px, {least} to {most} px in all",
        }
        if loaded.adapters:
            report["adapters"] = ", ".join(task or "all other tasks" for task in loaded.adapters)
        if engine.writing_s:
            report["tokens/s"] = f"{engine.written_tokens / engine.writing_s:.1f}"
        return report
