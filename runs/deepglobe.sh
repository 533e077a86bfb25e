#!/usr/bin/env bash
# DeepGlobe land cover and roads: the pixels of each class that an image shows (RES, the class is the expression).
# usage: runs/deepglobe.sh DATA_DIR     DATA_DIR has land/ and road/ (either), each as published
# SPLIT is train by default, the only one that was published with masks.
# Metrics: mIoU, oIoU by class: surveyor bench score OUT/land --by tags.
# It has no single objects, so no CRES can be made of it.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

split=${SPLIT:-train}
if [[ -d $data/land ]]; then bench land res "deepglobe?split=$split" land; fi
if [[ -d $data/road ]]; then bench road res "deepglobe-road?split=$split" road; fi
if [[ ! -d $data/land && ! -d $data/road ]]; then
  echo "deepglobe: '$data' has neither land/ nor road/" >&2
  exit 2
fi
