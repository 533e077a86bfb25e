#!/usr/bin/env bash
# ThinkGeo: 436 tasks for agents. They are read and counted; scores of tool traces are not built.
# usage: runs/thinkgeo.sh DATA_DIR      DATA_DIR has ThinkGeoBench.json, toolmeta.json, image/
# Its tools (OCR, drawing, web search) are not those of surveyor, so a trace of calls has nothing to be compared with.

# shellcheck source=_run.sh
. "$(dirname "$0")/_run.sh"

read -ra python <<<"${PYTHON:-python3}"
"${python[@]}" - "$data" <<'END'
import sys
from collections import Counter

from surveyor.evals.datasets.registry import reader_named

tally = Counter()
records = list(reader_named("thinkgeo").read(sys.argv[1], tally=tally))
scored = Counter(said.type for record in records for said in record.said)
print(f"{len(records)} tasks can be read; scored by: {dict(scored)}; left out: {dict(tally)}")
END
echo "thinkgeo: nothing is asked; scores of tool traces are not built" >&2
