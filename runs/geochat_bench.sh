#!/usr/bin/env bash
# GeoChat-Bench: boxes of expressions (REC); with a model that is asked in words questions (VQA) and scenes (SCENE).
# usage: runs/geochat_bench.sh DATA_DIR DATA_DIR has referring.jsonl, lrben.jsonl, hrben.jsonl, UCmerced.jsonl,
# aid.jsonl (any of them), images/
# Metrics: Acc@t, and the share of all boxes found by rotated IoU; accuracy by type; accuracy by class.
# Which way its angles turn is contradictory: TURN=counter-clockwise reads them the other way. Region captions have no
# scorer here.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

turn=${TURN:-clockwise}
shopt -s nullglob nocaseglob
files=("$data"/*refer*.jsonl "$data"/*ground*.jsonl)
if [[ ${#files[@]} -gt 0 ]]; then bench rec rec "geochat?task=referring&turn=$turn"; fi
needs_words rest
files=("$data"/*[lh]rben*.jsonl "$data"/*vqa*.jsonl)
if [[ ${#files[@]} -gt 0 ]]; then bench vqa vqa 'geochat?task=question'; fi
files=("$data"/*ucm*.jsonl "$data"/*aid*.jsonl "$data"/*scene*.jsonl)
if [[ ${#files[@]} -gt 0 ]]; then bench scene scene 'geochat?task=scene'; fi
