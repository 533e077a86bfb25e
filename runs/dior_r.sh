#!/usr/bin/env bash
# DIOR-R: conditional boxes (CREC), made from its test split.
# usage: runs/dior_r.sh DATA_DIR        DATA_DIR has JPEGImages-test/, ImageSets/Main/,
# Annotations/Oriented Bounding Boxes/
# Metrics: F1, SetAcc, N-acc at IoU 0.25, 0.5, 0.75, upright and oriented.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

bench crec crec 'dior?split=test&boxes=oriented'
