#!/usr/bin/env bash
# GeoPixelD: grounded captions (GCG), test split.
# usage: runs/geopixeld.sh DATA_DIR     DATA_DIR has test/P0003_0_800_347_1147.json with its .png beside it
# Metrics: AP50, mIoU, recall (of masks), CIDEr, METEOR. No model of this version writes captions with masks: the items
# are built, and bench run says what a model of your own takes (docs/bench_field.md).

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

bench gcg gcg 'geopixeld?split=test'
