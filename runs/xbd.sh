#!/usr/bin/env bash
# xBD: conditional change (RCD), made from its test split: which buildings were damaged.
# usage: runs/xbd.sh DATA_DIR           DATA_DIR has test/images/ and test/labels/ (or masks/)
# Metrics: F1_1, IoU_1 (in and outside the asked region), gIoU, F1 of parts, N-acc. MODELS defaults to change=compact.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

default_models change=compact
bench rcd rcd 'xbd?split=test'
