#!/usr/bin/env bash
# RSVG: one box an expression (REC), 1,227 expressions of the test split.
# usage: runs/rsvg.sh DATA_DIR          DATA_DIR has images/ and rsvg_{train,val,test}.pth
# Metrics: Acc@0.5, Acc@0.7, mean and cumulative IoU.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

bench rec rec 'rsvg?split=test'
