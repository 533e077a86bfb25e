#!/usr/bin/env bash
# DOTA: conditional boxes (CREC), made from its val split.
# usage: runs/dota.sh DATA_DIR          DATA_DIR has val/images/ and val/labelTxt*/; VERSION=1.5 where there are several
# Metrics: F1, SetAcc, N-acc at IoU 0.25, 0.5, 0.75, upright and oriented.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

bench crec crec "dota?split=val${VERSION:+&version=$VERSION}"
