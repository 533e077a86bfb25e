#!/usr/bin/env bash
# LEVIR-CD: changed buildings of whole pairs (change), 128 pairs of the test split.
# usage: runs/levir_cd.sh DATA_DIR      DATA_DIR has test/{A,B,label}/ or {A,B,label}/ with list/test.txt
# Metrics: F1_1, IoU_1 over all pixels, as BIT_CD. MODELS defaults to change=compact.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

default_models change=compact
bench change change 'levir-cd?split=test'
