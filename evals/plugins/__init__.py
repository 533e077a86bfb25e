"""Our benchmarks in other people's harnesses: inspect_ai and lmms-eval. Items, prompts and scores stay ours."""
