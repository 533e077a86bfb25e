#!/usr/bin/env bash
# RefSegRS: a mask an expression (RES), 1,817 expressions of the test split; masks are of all that is named.
# usage: runs/refsegrs.sh DATA_DIR      DATA_DIR has images/, masks/, output_phrase_{train,val,test}.txt
# Metrics: P@0.5 to P@0.9, mIoU, oIoU.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

bench res res 'refsegrs?split=test'
