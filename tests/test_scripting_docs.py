"""docs/scripting.md and the scripting examples do what they say; answers, plans and builders show themselves."""

from __future__ import annotations

import csv
import re
import runpy
import sys
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import surveyor
from surveyor.agent.builder_conditions import Conditioned
from surveyor.agent.builder_ranks import Ranked
from surveyor.agent.builder_relations import Related
from surveyor.agent.notebook import LARGEST_BYTES, WIDEST_PX, picture_jpeg
from surveyor.app.cli import main
from surveyor.core.regions import Region
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models
from surveyor.tools.toolbox import tools_of_file

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/scripting.md"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a photo.jpg, as a reader would have."""
    monkeypatch.chdir(tmp_path)
    scene = surveyor.draw_scene("airport", seed=7, size_wh=(512, 512))
    cv2.imwrite("photo.jpg", scene.image_rgb[..., ::-1])
    return tmp_path


def test_the_page_runs_from_top_to_bottom(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    names: dict[str, object] = {"__name__": "scripting"}
    for code in blocks:
        exec(compile(code, "docs/scripting.md", "exec", dont_inherit=True), names)
    printed = capsys.readouterr().out
    for said in re.findall(r"print\([^\n]*\)  # ([^\n]+)", "\n".join(blocks)):
        assert said in printed or said == "a Mermaid flowchart"


def test_the_page_names_every_method_that_there_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = {name for line in re.findall(r"`([^`\n]+)`", page) for name in re.findall(r"\.([a-z_]+)\b", line)}
    real = {name for kind in (Conditioned, Ranked, Related, surveyor.RegionSet, surveyor.Graph) for name in vars(kind)}
    listed = {
        name for row in re.findall(r"^\| (`\..*?) \|", page, re.MULTILINE) for name in re.findall(r"`\.([a-z_]+)", row)
    }
    assert listed and listed <= real
    relations = {name for name in vars(Related) if not name.startswith("_")} - {"provided"}
    assert relations <= named


def run_example(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict[str, object]:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    return runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")


def test_custom_tool_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_example("custom_tool", monkeypatch)
    printed = capsys.readouterr().out
    assert "use isolated on all planes, with gap_m 10" in printed
    assert "with each 150: " in printed


def test_folder_example(workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    photos = workplace / "photos"
    photos.mkdir()
    (workplace / "photo.jpg").rename(photos / "airport.jpg")
    cv2.imwrite(str(photos / "black.png"), np.zeros((64, 64, 3), np.uint8))
    (photos / "broken.jpg").write_text("no image")
    run_example("folder_table", monkeypatch, "photos", "table.csv", "planes longer than 5 m", "--gsd", "0.5")
    with (workplace / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    status = {name: {row["status"] for row in rows if row["image"] == name} for name in ("black.png", "broken.jpg")}
    assert status == {"black.png": {"none"}, "broken.jpg": {"not read"}}
    found = [row for row in rows if row["image"] == "airport.jpg"]
    assert found and all(float(row["length_m"]) > 5 and "longer than 5 m" in row["reasons"] for row in found)
    with pytest.raises(surveyor.QueryError):
        run_example("folder_table", monkeypatch, "photos", "table.csv", "planes that frobnicate")


def test_hand_edited_example(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example("hand_edited_plan", monkeypatch, "photo.jpg", "0.5")
    printed = capsys.readouterr().out
    assert "'plains', which is no step of the plan" in printed
    assert "longer than 20 m and in the top half" in printed


def test_notebook_example(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_example("notebook", monkeypatch)
    assert (workplace / "notebook.html").read_text(encoding="utf-8").count("<table>") == 3


# ---- the command line --------------------------------------------------------------------------------------------


def test_tools_of_a_file_on_the_command_line(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = str(ROOT / "examples/custom_tool.py")
    g = surveyor.Graph.from_words("planes")
    alone = g.use(tools_of_file(mine)[0], g.ground("plane"), gap_m=10)
    (workplace / "plan.yaml").write_text(g.answer(g.count(alone)).plan().to_yaml(), encoding="utf-8")
    assert main(["run", "plan.yaml", "photo.jpg", "--gsd", "0.5"]) == 2
    assert "there is no tool 'isolated'" in capsys.readouterr().err.replace("\n", " ")
    assert main(["run", "plan.yaml", "photo.jpg", "--gsd", "0.5", "--tools", mine]) == 0
    assert main(["models", "--tools", mine]) == 0
    assert "least distance to the nearest other" in capsys.readouterr().out
    assert main(["models", mine]) == 2
    assert main(["run", "--help"]) == 0
    assert "Tools that a plan may call: ground," in capsys.readouterr().out


# ---- what shows itself -------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags and attributes of a page; a tag left open is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def answer_with(label: str, query: str, size: int = 200) -> surveyor.Answer:
    regions = [
        Region(f"<b>{k}", label, [[x, 10], [x + 30, 10], [x + 30, 20], [x, 20]], [x, 10, x + 30, 20], score=0.5)  # type: ignore[arg-type]
        for k, x in enumerate((10, 100))
    ]
    models = Models(FakeGrounder(regions, open_vocabulary=True), FakeSegmenter())
    image = np.random.default_rng(0).integers(0, 255, (size, size, 3), np.uint8)
    return surveyor.ask(image, query, models=models)


def test_an_answer_shows_picture_and_table() -> None:
    answer = answer_with("plane", "planes in the left half longer than 3 m")
    page = Page(answer._repr_html_())
    assert page.tags.count("img") == 1 and page.tags.count("table") == 1
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert {"<b>0", "<b>1"} <= set(page.words)  # escaped, so they come back as text
    assert "in the left half" in page.words and "undecided" in page.words
    assert any(word.startswith("note: ") for word in page.words)


def test_pictures_are_small() -> None:
    answer = answer_with("plane", "planes", size=2000)  # noise: as bad for JPEG as it gets
    data = picture_jpeg(answer)
    assert len(data) <= LARGEST_BYTES
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and max(picture.shape) <= WIDEST_PX
    assert len(answer._repr_html_()) < 300_000


def test_a_picture_that_is_gone_is_told(workplace: Path) -> None:
    answer = surveyor.ask("photo.jpg", "planes")
    (workplace / "photo.jpg").unlink()
    page = Page(answer._repr_html_())
    assert "table" in page.tags
    assert "img" in page.tags or any(word.startswith("no picture: ") for word in page.words)


def test_plans_and_builders_show_their_steps() -> None:
    plan = surveyor.Plan.from_yaml(
        "query: <script>x</script>\noutputs: [a]\n"
        "steps: [{id: a, tool: ground, args: {phrases: [plane]}, instruction: '<i>'}]"
    )
    page = Page(plan._repr_html_())
    assert "script" not in page.tags and "<script>x</script>" in page.words and "<i>" in page.words
    g = surveyor.Graph()
    assert "nothing asked for yet" in g._repr_html_()
    g.answer(g.find("the two largest ships"))
    assert "select the two largest" in Page(g._repr_html_()).words
    assert "detect all planes" in Page(g.ground("plane")._repr_html_()).words


def test_repr_is_one_short_line() -> None:
    answer = answer_with("plane", "planes")
    for shown in (answer, answer.plan, surveyor.Graph.from_words("planes near the river")):
        assert len(repr(shown)) < 160 and "\n" not in repr(shown)
    assert repr(answer) == "Answer('Found 2 planes: <b>0, <b>1.', 2 regions, 0 rejected)"
