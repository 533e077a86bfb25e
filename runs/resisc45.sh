#!/usr/bin/env bash
# NWPU-RESISC45: classes of scenes (SCENE), 31,500 images of 45 classes; SPLIT=test where lists of it lie in the folder.
# usage: runs/resisc45.sh DATA_DIR      DATA_DIR has NWPU-RESISC45/CLASS/IMAGE.jpg, or the folders of classes
# Metrics: accuracy, mean over classes. Needs a model that is asked in words.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

needs_words
bench scene scene "resisc45${SPLIT:+?split=$SPLIT}"
