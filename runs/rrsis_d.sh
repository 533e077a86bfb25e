#!/usr/bin/env bash
# RRSIS-D: a mask an expression (RES), 3,481 expressions of the test split, and their boxes (REC).
# usage: runs/rrsis_d.sh DATA_DIR       DATA_DIR has rrsisd/refs(unc).p, rrsisd/instances.json,
# images/rrsisd/JPEGImages/
# Metrics: P@0.5 to P@0.9, mIoU, oIoU at the images' own size (RMSIN resizes to 480); REC: Acc@t.
# Its test images are in the training split of DIOR-RSVG.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

bench res res 'rrsisd?split=test'
bench rec rec 'rrsisd?split=test'
