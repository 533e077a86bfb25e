"""How long the doors take to open: `import surveyor` and `surveyor --help` beside `python -c pass`.

    python benchmarks/bench_cli.py [--runs 9]

Bars: `import surveyor` adds at most 0.3 s, `surveyor --help` takes at most 1 s. Minima of several runs, taken in turn,
so that a busy moment of the machine falls on all of them. Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

PYTHON = [sys.executable]
CLI = [*PYTHON, "-m", "surveyor.app.cli"]
COMMANDS = {
    "python -c pass": [*PYTHON, "-c", "pass"],
    "import surveyor": [*PYTHON, "-c", "import surveyor"],
    "surveyor --version": [*CLI, "--version"],
    "surveyor --help": [*CLI, "--help"],
    "surveyor ask --help": [*CLI, "ask", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall-clock time of one run in a fresh process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> int:
    """Measures, prints a table, returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    best = dict.fromkeys(COMMANDS, float("inf"))
    for _ in range(runs):
        for name, command in COMMANDS.items():
            best[name] = min(best[name], seconds(command))
    base = best["python -c pass"]
    bars = {"import surveyor": base + 0.3, "surveyor --help": 1.0}
    print(f"{'command':<22}{'s':>7}{'more than pass':>16}   bar")
    for name, value in best.items():
        bar = "" if name not in bars else "held" if value <= bars[name] else "MISSED"
        print(f"{name:<22}{value:>7.3f}{value - base:>16.3f}   {bar}")
    return int(any(best[name] > bar for name, bar in bars.items()))


if __name__ == "__main__":
    sys.exit(main())
