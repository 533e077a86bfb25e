#!/usr/bin/env bash
# LEVIR-MCI: conditional change (RCD) and change of whole pairs, test split; captions of changes are built only.
# usage: runs/levir_mci.sh DATA_DIR     DATA_DIR has LevirCCcaptions.json and images/{train,val,test}/{A,B,label}/
# Metrics: F1_1, IoU_1 (in and outside the asked region), gIoU, F1 of parts, N-acc. MODELS defaults to
# change=cva: the built-in detector knows no roads.
# No model of this version writes captions of changes: caption.jsonl is for one of your own (docs/bench_field.md).

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

default_models change=cva
bench rcd rcd 'levir-mci?split=test'
bench change change 'levir-mci?split=test'
if [[ ! -s $out/caption.jsonl ]]; then
  "${program[@]}" bench build caption --source "levir-mci:$data?split=test" --out "$out/caption.jsonl"
fi
