#!/usr/bin/env bash
# VRSBench: a box an expression (REC), and with a model that is asked in words questions (VQA) and captions.
# usage: runs/vrsbench.sh DATA_DIR      DATA_DIR has VRSBench_EVAL_{referring,vqa,Cap}.json (any) and Images_val/
# Metrics: Acc@t plain and "+1" as its own script counts, unique and not; accuracy by type;
# BLEU, ROUGE_L, CIDEr, METEOR.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

if [[ -f $data/VRSBench_EVAL_referring.json ]]; then bench rec rec 'vrsbench_eval'; fi
needs_words rest
if [[ -f $data/VRSBench_EVAL_vqa.json ]]; then bench vqa vqa 'vrsbench_eval'; fi
if [[ -f $data/VRSBench_EVAL_Cap.json ]]; then bench caption caption 'vrsbench_eval'; fi
