"""The small Qwen2-VL that comes with the package: weights as `finetune.scratch.export` wrote them, and their card."""
