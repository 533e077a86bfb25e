"""Models behind OpenAI-compatible servers: chat, grounder, describer, change detector. See docs/serving.md."""
