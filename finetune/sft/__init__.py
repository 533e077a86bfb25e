"""Supervised fine-tuning of vision-language models on instruction records."""
