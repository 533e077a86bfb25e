#!/usr/bin/env bash
# DIOR-RSVG: one box an expression (REC), 7,500 expressions of the test split.
# usage: runs/dior_rsvg.sh DATA_DIR     DATA_DIR has Annotations/, JPEGImages/, train.txt, val.txt, test.txt (June 2023)
# Metrics: Acc@0.5, Acc@0.7, mean and cumulative IoU. Official split; expressions whose image is in no other split have
# the tag image-disjoint: surveyor bench score OUT/rec --by tags.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

bench rec rec 'dior_rsvg?split=test'
