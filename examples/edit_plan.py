"""Takes the plan of a question, changes one number in it as a person would in the YAML, and runs both.

python examples/edit_plan.py photo.jpg 0.3        (a photo, metres a pixel)
"""

from __future__ import annotations

import sys

import surveyor


def main(photo: str, gsd: float) -> None:
    """Runs the plan as it was made and as it was edited."""
    plan = surveyor.plan("how many planes are longer than 40 m?")
    edited = surveyor.Plan.from_yaml(plan.to_yaml().replace("value: 40.0", "value: 20.0"))
    for each in (plan, edited):
        answer = surveyor.run(each, photo, gsd=gsd)
        print(f"{[step.instruction for step in each.steps]}: {answer.count}")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
