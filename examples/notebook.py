"""A notebook as a script: each `# %%` is a cell for VS Code, Spyder or jupytext; it also runs as it stands.

    python examples/notebook.py

In a notebook the last value of a cell shows itself: a set and a plan as a table of steps, an answer as its picture and
a table of candidates by conditions. Nothing is loaded from elsewhere. Here the same goes into a file, notebook.html.
"""

# %% a scene; your own photo would be "photo.jpg"
from pathlib import Path
from typing import Any

import surveyor

scene = surveyor.draw_scene("harbour", seed=3)

# %% sets are handles: nothing is run yet
g = surveyor.Graph()
ships = g.ground("ship")
long_ships = ships.where("length > 40 m").excluding("in the top left corner")
long_ships  # noqa: B018

# %% what to ask of them
g.answer(g.count(ships), long_ships, g.measure(long_ships, "length", "ft"))
print(g.words)
print(g.draw())  # paste into a Markdown cell between ```mermaid and ```

# %% the plan, step by step
plan = g.plan()
plan  # noqa: B018

# %% the answer
answer = g.run(scene.image_rgb, gsd=scene.gsd_m)
print(repr(answer))

# %% why is one of them not in it?
for candidate in answer.rejected[:1]:
    print(surveyor.explain(answer, candidate.region.id))

# %% what the cells showed, as a page
shown: list[Any] = [long_ships, plan, answer]
Path("notebook.html").write_text("<hr>".join(each._repr_html_() for each in shown), encoding="utf-8")
