#!/usr/bin/env bash
# FIT-RSFG and FIT-RSRC: captions, classes of scenes, questions, and questions in all orders of their options.
# usage: runs/fit_rs.sh DATA_DIR        DATA_DIR has test_FITRS_*_eval.jsonl, FIT-RSRC_Questions_2k.jsonl (any of them),
# imgv2_split_512_100_vaild/
# Metrics: BLEU, ROUGE_L, CIDEr, METEOR; accuracy; CircularEval. Needs a model that is asked in words.
# Not scored here: captions of regions, relations in text (complex comprehension), detections in text.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

needs_words
has() { [[ -n $(find "$data" -iname "$1" -name '*.jsonl' -print -quit) ]]; }
if has '*image_caption*'; then bench caption caption 'fitrs?task=caption&split=test'; fi
if has '*imageclassify*'; then bench scene scene 'fitrs?task=scene&split=test'; fi
if has '*vqa*'; then bench vqa vqa 'fitrs?task=question&split=test'; fi
if has '*rsrc*'; then bench choice vqa 'fitrs?task=choice&split=test'; fi
