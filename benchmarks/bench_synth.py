"""How many scenes a second `surveyor.synth` draws: python benchmarks/bench_synth.py [--scenes 24] [--size 512]"""

from __future__ import annotations

import argparse
import os
import time

from surveyor.synth import KINDS, draw_pair, draw_scene


def main() -> None:
    """Print scenes per second by kind, in wall time and processor time, warm; then pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=24, help="scenes of each kind")
    parser.add_argument("--size", type=int, default=512, help="pixels on a side")
    given = parser.parse_args()
    size_wh = (given.size, given.size)
    cold = time.perf_counter()
    draw_scene(KINDS[0], 10_000, size_wh)
    print(f"first scene in the process: {time.perf_counter() - cold:.2f} s")
    for kind in KINDS:  # noise tiles and crown sprites are made once in a process
        for seed in range(8):
            draw_scene(kind, 10_000 + seed, size_wh)
    wall_all = processor_all = 0.0
    for kind in KINDS:
        wall, processor = time.perf_counter(), time.process_time()
        for seed in range(given.scenes):
            draw_scene(kind, seed, size_wh)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        wall_all, processor_all = wall_all + wall, processor_all + processor
        print(f"{kind:10s} {given.scenes / wall:6.1f} scenes/s wall {given.scenes / processor:6.1f} by processor time")
    count = given.scenes * len(KINDS)
    print(f"{'all kinds':10s} {count / wall_all:6.1f} scenes/s wall {count / processor_all:6.1f} by processor time")
    wall = time.perf_counter()
    for kind in KINDS:
        draw_pair(kind, 1, size_wh)
    print(f"{'pairs':10s} {len(KINDS) / (time.perf_counter() - wall):6.1f} pairs/s wall")
    load = ", ".join(f"{v:.2f}" for v in os.getloadavg())
    print(f"{given.size} px, load average {load} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
