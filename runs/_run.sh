# What the scripts beside it share; they source it. Items are built once, then asked, then scored; the same call goes
# on where it stopped. Items that were built otherwise (DATA_DIR, ITEMS, BUILD, a script's own settings) are not taken.
#
#   MODELS   who answers, as in --models; default: each script's own, which needs no download where that can be
#   OUT      folder of items and answers; default: runs/out/SCRIPT
#   LIMIT    only so many items of each file, in a folder of their own (OUT/NAME-first-200); default: all
#   SHARD    K/N: only that part, in OUT/NAME-K-of-N, for machines side by side; score them together at the end
#   ITEMS    how many conditional items to build (crec, cres, rcd); default: 1000
#   BUILD    further words for bench build: BUILD='--seed 3'
#   RUN      further words for bench run: RUN='--workers 8 --ray auto --worker-gpus 1', RUN='--through agent'
#   SURVEYOR the program; default: surveyor

set -euo pipefail

script=$(basename "$0" .sh)
if [[ $# -ne 1 || $1 == -* ]]; then
  awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0" >&2
  exit 2
fi
if [[ ! -d $1 ]]; then
  echo "$script: there is no folder '$1'; give the one that holds the dataset" >&2
  exit 2
fi
data=$(cd "$1" && pwd)
out=${OUT:-$(cd "$(dirname "$0")" && pwd)/out/$script}
read -ra program <<<"${SURVEYOR:-surveyor}"
read -ra build_words <<<"${BUILD:-}"
read -ra run_words <<<"${RUN:-}"
models=${MODELS-}

# default_models SPEC: who answers where MODELS is not set
default_models() {
  models=${MODELS-$1}
}

# bench NAME TASK 'READER?OPTIONS' [FOLDER]: builds OUT/NAME.jsonl, answers into OUT/NAME, scores; FOLDER in DATA_DIR
bench() {
  local name=$1 task=$2 reader=${3%%\?*} options=${3#"${3%%\?*}"} folder=$data${4:+/$4}
  local items=$out/$name.jsonl answers=$out/$name build=() run=()
  mkdir -p "$out"
  echo "== $script: $name" >&2
  case $task in crec | cres | rcd) build+=(--n "${ITEMS:-1000}") ;; esac
  build=(bench build "$task" --source "$reader:$folder$options" --out "$items"
    ${build[@]+"${build[@]}"} ${build_words[@]+"${build_words[@]}"})
  build_items "$items" "${build[@]}"
  if [[ -n $models ]]; then run+=(--models "$models"); fi
  if [[ -n ${LIMIT:-} ]]; then
    run+=(--limit "$LIMIT")
    answers+=-first-$LIMIT
  fi
  local whole=$answers
  if [[ -n ${SHARD:-} ]]; then
    run+=(--shard "$SHARD")
    answers+=-${SHARD/\//-of-}
  fi
  "${program[@]}" bench run "$items" --data "$folder" --out "$answers" \
    ${run[@]+"${run[@]}"} ${run_words[@]+"${run_words[@]}"}
  if [[ -n ${SHARD:-} ]]; then
    echo "$script: when all parts are done: surveyor bench score $whole-*-of-${SHARD#*/}" >&2
    return
  fi
  "${program[@]}" bench score "$answers"
}

# build_items FILE WORDS: builds the file, and keeps the words beside it; stops where it was built with other words
build_items() {
  local items=$1 note=${1%.jsonl}.build words before
  shift
  words=$(printf '%q ' "$@")
  if [[ ! -s $items ]]; then
    printf '%s\n' "$words" >"$note"
    "${program[@]}" "$@"
    return
  fi
  before=$(cat "$note" 2>/dev/null || echo 'not known')
  if [[ $before != "$words" ]]; then
    printf '%s: %s was built otherwise; give another OUT, or remove it to build it again\n  then: %s\n  now:  %s\n' \
      "$script" "$items" "$before" "$words" >&2
    exit 2
  fi
}

# needs_words [rest]: says what the task takes before anything is built; "rest" leaves it out and ends well
needs_words() {
  if [[ -n $models ]]; then return; fi
  echo "$script: the built-in models find and outline things; questions, captions and classes of scenes take one that" \
    "is asked in words: MODELS=grounder=qwen2vl:DIR or MODELS=grounder=openai:MODEL@URL" >&2
  if [[ ${1:-} == rest ]]; then
    echo "$script: they are left out" >&2
    exit 0
  fi
  exit 2
}
