#!/usr/bin/env bash
# NWPU VHR-10: conditional boxes (CREC) and masks (CRES), made from all its images.
# usage: runs/nwpu_vhr10.sh DATA_DIR    DATA_DIR has positive image set/, negative image set/, annotations.json
# Metrics: CREC: F1, SetAcc, N-acc; CRES: gIoU, cIoU, P@t. Its labels are taken as complete (exhaustive=all), which is
# not true of all its vehicles and a few other things (docs/benchmarks.md).

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

bench crec crec 'nwpu_vhr10?exhaustive=all'
bench cres cres 'nwpu_vhr10?exhaustive=all'
