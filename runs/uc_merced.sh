#!/usr/bin/env bash
# UC Merced Land Use: classes of scenes (SCENE), 2,100 images of 21 classes; SPLIT=test where lists lie in the folder.
# usage: runs/uc_merced.sh DATA_DIR     DATA_DIR has UCMerced_LandUse/Images/CLASS/IMAGE.tif, or the folders of classes
# Metrics: accuracy, mean over classes. Needs a model that is asked in words.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

needs_words
bench scene scene "ucmerced${SPLIT:+?split=$SPLIT}"
