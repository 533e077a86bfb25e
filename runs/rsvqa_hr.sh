#!/usr/bin/env bash
# RSVQA high resolution: questions (VQA) of both test splits (the second shows another city); areas as ranges.
# usage: runs/rsvqa_hr.sh DATA_DIR      DATA_DIR has USGSquestions.json, USGSanswers.json,
# USGS_split_test*_questions.json, Data/
# Metrics: accuracy by type, their mean (AA) and over all (OA). Needs a model that is asked in words.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

needs_words
bench test vqa 'rsvqa-hr?split=test&ranges=yes'
if [[ -f $data/USGS_split_test_phili_questions.json ]]; then
  bench test_phili vqa 'rsvqa-hr?split=test_phili&ranges=yes'
fi
