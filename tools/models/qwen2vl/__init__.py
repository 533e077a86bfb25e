"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL checkpoints as grounder, describer and change detector, through transformers."""
