#!/usr/bin/env bash
# AID: classes of scenes (SCENE), 10,000 images of 30 classes; SPLIT=test where lists of it lie in the folder.
# usage: runs/aid.sh DATA_DIR           DATA_DIR has AID/CLASS/IMAGE.jpg, or the folders of classes
# Metrics: accuracy, mean over classes. Needs a model that is asked in words.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

needs_words
bench scene scene "aid${SPLIT:+?split=$SPLIT}"
