#!/usr/bin/env bash
# RSICD: captions, test split, five references an image.
# usage: runs/rsicd.sh DATA_DIR   DATA_DIR has dataset.json (or dataset_NAME.json) and imgs/
# Metrics: BLEU-1 to -4, ROUGE_L, CIDEr; METEOR where there is Java. Needs a model that is asked in words.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

needs_words
bench caption caption 'rsicd?split=test'
