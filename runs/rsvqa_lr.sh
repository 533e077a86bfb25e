#!/usr/bin/env bash
# RSVQA low resolution: questions (VQA), 10,004 of the test split; counts are answered as ranges.
# usage: runs/rsvqa_lr.sh DATA_DIR      DATA_DIR has all_questions.json, all_answers.json,
# LR_split_test_*.json, Images_LR/
# Metrics: accuracy by type, their mean (AA) and over all (OA). Needs a model that is asked in words.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

needs_words
bench vqa vqa 'rsvqa-lr?split=test&ranges=yes'
