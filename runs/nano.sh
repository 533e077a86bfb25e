#!/usr/bin/env bash
# The nano Qwen2-VL, from data to the folder that ships: records, augmented, training, scores on photos, export.
# usage: runs/nano.sh DATA_DIR    DATA_DIR has nwpu_vhr10/{train.json,val.json,images}
# change/{levir,fotbcd}/{A,B,label} beside it are used too. Only training images and pairs called train_* are
# learnt from. The same call goes on where it was stopped, in training at the last step that was saved. Made for one GPU
# (docs/nano.md has times); SET makes it smaller.
#   OUT      folder of what is made; default: runs/out/nano
#   CONFIG   recipe; default: finetune/configs/nano_qwen2vl.yaml
#   SET      settings over the recipe's: SET='device=cpu workers=0 stages.0.steps=10'
#   RECORDS  more JSONL files of instruction records, to learn from too
#   MOST     only so many photos are scored; default: all of val.json
#   TOKENS   most tokens of a reply about a photo; default: 400 (one that has learnt little lists objects for ever)
#   SURVEYOR, PYTHON   programs; default: surveyor, python

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

read -ra python <<<"${PYTHON:-python}"
read -ra settings <<<"${SET:-}"
read -ra records <<<"${RECORDS:-}"
config=${CONFIG:-$(cd "$(dirname "$0")/.." && pwd)/finetune/configs/nano_qwen2vl.yaml}
made=$out/records
photos=$data/nwpu_vhr10
model=$out/model
if [[ ! -s $photos/train.json || ! -s $photos/val.json ]]; then
  echo "$script: there is no $photos/train.json or val.json; give the folder that nwpu_vhr10/ lies in" >&2
  exit 2
fi
mkdir -p "$made"

# make FILE WORDS: makes a file of records with the program, unless it is there; it is written whole or not at all
make() {
  local file=$made/$1.jsonl
  shift
  records+=("$file")
  if [[ -s $file ]]; then return; fi
  echo "== $script: ${file##*/}" >&2
  "${program[@]}" data "$@" --out "$file"
}

# All objects are told, cut ones too: what is not told counts as nothing there in the dense targets.
for window in 448 896; do
  make "nwpu-$window" convert coco "$photos" --split train -o exhaustive=yes --tasks det,res,count \
    --window "$window" --overlap "$((window / 4))" --doubtful keep --most 20
done
make nwpu-896-pasted augment "$made/nwpu-896.jsonl" --paste --pal --only-new
for pairs in levir fotbcd; do
  folder=$data/change/$pairs
  if [[ ! -d $folder ]]; then continue; fi
  without=()
  for file in "$folder"/A/*; do
    name=${file##*/}
    if [[ $name != train_* ]]; then without+=(--without "${name%.*}"); fi
  done
  make "$pairs" convert pairs "$folder" -o classes=building --tasks rcd --window 448 --overlap 112 \
    ${without[@]+"${without[@]}"}
  make "$pairs-turned" augment "$made/$pairs.jsonl" --flip --rotate --only-new
done

echo "== $script: training, ${#records[@]} files of records; goes on from $model/last.pt where that is there" >&2
listed=$(printf ', "%s"' "${records[@]}")
"${python[@]}" -m surveyor.finetune.scratch.train "$config" "out=$model" "cache=$out/drawn" "records=[${listed:2}]" \
  ${settings[@]+"${settings[@]}"}

if [[ ! $model/photos.json -nt $model/last.pt ]]; then
  echo "== $script: F1@0.5 on val, beside the built-in detector" >&2
  most=()
  if [[ -n ${MOST:-} ]]; then most=(--most "$MOST"); fi
  "${python[@]}" -m surveyor.finetune.scratch.beside --data "$photos" --split val --out "$model/photos.json" \
    ${most[@]+"${most[@]}"} "grounder=qwen2vl:$model/checkpoint?max_tokens=${TOKENS:-400}" \
    grounder=compact
fi

echo "== $script: export" >&2
"${python[@]}" -m surveyor.finetune.scratch.export "$model" "$out/nano"
echo "$script: to ship it, copy $out/nano to tools/models/nano/weights; its card is $out/nano/card.md" >&2
