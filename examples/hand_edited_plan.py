"""A plan as YAML, edited by hand, run: a number changed, and a step put in that the question did not have.

    python examples/hand_edited_plan.py photo.jpg 0.3        (a photo, metres a pixel)

Faults of the edit are told all at once, before any pixel is read.
"""

from __future__ import annotations

import sys

import surveyor

EDITED = """
query: how many long planes are in the northern half?
steps:
- id: planes
  tool: ground
  args: {phrases: [plane]}
  instruction: detect all planes
- id: long_ones
  tool: select
  inputs: {candidates: planes}
  args:
    condition: {kind: compare, attribute: length, op: '>', quantity: {value: 20, unit: m}}
  instruction: select those longer than 20 m
- id: northern
  tool: select
  inputs: {candidates: long_ones}
  args:
    condition: {kind: position, frame: half, place: top}
  instruction: select those in the top half
- id: how_many
  tool: count
  inputs: {candidates: northern}
  instruction: count the planes
outputs: [how_many]
"""


def main(photo: str, gsd: float) -> None:
    """Shows what is told of a fault, then runs the plan."""
    try:
        surveyor.Plan.from_yaml(EDITED.replace("candidates: planes", "candidates: plains"))
    except surveyor.UsageError as error:
        print(error)
    plan = surveyor.Plan.from_yaml(EDITED)
    answer = surveyor.run(plan, photo, gsd=gsd)
    print(answer.text)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
