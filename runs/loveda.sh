#!/usr/bin/env bash
# LoveDA: the pixels of each class that an image shows (RES, the class is the expression), val split.
# usage: runs/loveda.sh DATA_DIR        DATA_DIR has Val/{Urban,Rural}/{images_png,masks_png}/
# Metrics: mIoU, oIoU by class: surveyor bench score OUT/res --by tags.
# It has no single objects, so no CRES can be made of it.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

bench res res 'loveda?split=val'
