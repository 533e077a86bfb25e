#!/usr/bin/env bash
# iSAID: conditional masks (CRES), made from its val split.
# usage: runs/isaid.sh DATA_DIR         DATA_DIR has val/images/ with instance images or a COCO file (DOTA's images)
# Metrics: gIoU, cIoU, P@0.5 to P@0.9, N-acc, T-acc.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

bench cres cres 'isaid?split=val'
