"""The frame of swipe.html: style sheet and script, light and dark, wide screens and telephones."""

from __future__ import annotations

from .change_words import KINDS

_COLOURS = " ".join(f".{kind.name} {{ --own: rgb{kind.rgb} }}" for kind in KINDS)

_STYLE = (
    """
:root { color-scheme: light dark; --ink: #1c1e22; --soft: #5f656e; --line: #d5d8dd; --ground: #fff; --chip: #eef0f3 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --soft: #a0a6b0; --line: #3b4048; --ground: #17191d;
  --chip: #282c33 } }
"""
    + _COLOURS
    + """
.plain { --own: rgb(40, 235, 150) } .unsure { --own: rgb(255, 175, 40) } .out { --own: rgb(190, 190, 190) }
.reference { --own: rgb(200, 120, 245) }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground) }
header { padding: 12px 16px 4px } h1 { font-size: 20px; line-height: 1.3; margin: 0; overflow-wrap: anywhere }
p { margin: 4px 0 } .soft { color: var(--soft); overflow-wrap: anywhere }
main { display: grid; grid-template-columns: minmax(0, 1fr) minmax(260px, 360px); gap: 8px 20px;
  padding: 8px 16px 24px }
@media (max-width: 860px) { main { grid-template-columns: minmax(0, 1fr) } }
.view { --cut: 50%; --x: 0px; --y: 0px; --z: 1 }
.view > input { position: absolute; opacity: 0; pointer-events: none }
.view > label, button { display: inline-block; font: inherit; color: inherit; background: var(--chip);
  border: 1px solid var(--line); border-radius: 6px; padding: 3px 12px; margin: 0 2px 6px 0; cursor: pointer }
.view > input:checked + label { background: var(--ink); color: var(--ground); border-color: var(--ink) }
.view > input:focus-visible + label, button:focus-visible, a:focus-visible { outline: 2px solid #2f7fd0;
  outline-offset: 1px }
.names { display: flex; justify-content: space-between; gap: 16px; font-size: 14px; max-width: var(--most) }
.names span { overflow-wrap: anywhere } .names span + span { text-align: right }
.stage { position: relative; overflow: clip; container-type: inline-size; width: 100%; max-width: var(--most);
  aspect-ratio: var(--wide) / var(--high); border-radius: 4px; background: #000; touch-action: pan-y pinch-zoom;
  user-select: none }
.stage.near { touch-action: none; cursor: grab }
.layer { position: absolute; inset: 0; overflow: clip }
.world { width: 100cqw; transform-origin: 0 0; transform: translate(var(--x), var(--y)) scale(var(--z)) }
.world img, .world svg { display: block; width: 100%; height: auto; aspect-ratio: var(--wide) / var(--high) }
.before { clip-path: inset(0 calc(100% - var(--cut)) 0 0) }
.marks, .marks svg { pointer-events: none; overflow: visible } .marks svg { filter: drop-shadow(0 0 1px #000) }
.marks g { pointer-events: all; cursor: pointer }
.marks g path { fill: var(--own); fill-opacity: .1; fill-rule: evenodd; stroke: var(--own);
  stroke-width: calc(2px * var(--stroke, 1) / var(--z)); stroke-linejoin: round }
.marks .unsure path, .marks .out path, .marks .reference path { fill-opacity: 0;
  stroke-dasharray: calc(7px * var(--stroke, 1) / var(--z)) }
.marks .out path { stroke-dasharray: calc(3px * var(--stroke, 1) / var(--z));
  stroke-width: calc(1.2px * var(--stroke, 1) / var(--z)) }
.marks g:hover path { fill-opacity: .35 }
.marks g:target path, .marks g.on path { fill-opacity: .3; stroke: #fff;
  stroke-width: calc(4px * var(--stroke, 1) / var(--z)) }
.veil { fill: url(#stripes); fill-rule: evenodd; pointer-events: none }
#show-before:checked ~ .stage { --cut: 100% } #show-after:checked ~ .stage { --cut: 0% }
#lines:not(:checked) ~ .stage .marks g { display: none } #others:not(:checked) ~ .stage .marks .out { display: none }
#cut { position: absolute; inset: 0 auto 0 -24px; width: calc(100% + 48px); height: 100%; margin: 0; opacity: 0;
  appearance: none; background: none; pointer-events: none }
#cut::-webkit-slider-runnable-track { height: 100% }
#cut::-webkit-slider-thumb { appearance: none; width: 48px; height: 100%; pointer-events: auto; cursor: ew-resize }
#cut::-moz-range-track { height: 100% }
#cut::-moz-range-thumb { width: 48px; height: 100%; border: 0; pointer-events: auto; cursor: ew-resize }
.line { position: absolute; inset: 0 auto 0 var(--cut); width: 3px; margin-left: -1.5px; background: #fff;
  box-shadow: 0 0 3px #000; pointer-events: none }
.line::after { content: "\\2039\\2009\\203a"; position: absolute; top: 50%; left: 50%; width: 36px; height: 36px;
  margin: -18px; border-radius: 50%; background: #fff; color: #222; font: 600 20px/32px system-ui, sans-serif;
  text-align: center; box-shadow: 0 0 4px #000 }
#cut:focus-visible + .line { box-shadow: 0 0 0 3px #2f7fd0 }
#cut:focus-visible + .line::after { outline: 3px solid #2f7fd0 }
ul, ol { margin: 0; padding: 0; list-style: none }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 8px 0 } .legend li { display: flex; gap: 6px }
i { display: inline-block; flex: none; width: 14px; height: 14px; margin-top: 4px; border-radius: 3px;
  border: 2px solid var(--own); background: color-mix(in srgb, var(--own) 45%, #333) }
i.unsure, i.out, i.reference { border-style: dotted; background: #333 } i.none { display: none }
i.veil { border-color: #999; background: repeating-linear-gradient(45deg, #555 0 3px, #bbb 3px 5px) }
#list { max-height: 72vh; overflow-y: auto; border-top: 1px solid var(--line) }
#list a { display: block; padding: 6px 4px; border-bottom: 1px solid var(--line); color: inherit;
  text-decoration: none; overflow-wrap: anywhere }
#list a:hover { background: var(--chip) }
#list li.on a { background: var(--chip); box-shadow: inset 3px 0 0 var(--own) }
#list li.out, #list li.unsure { color: var(--soft) } #list i { vertical-align: -2px; margin: 0 4px 0 0 }
@media (max-width: 860px) { #list { max-height: none } }
details { margin: 8px 0; color: var(--soft) } details ul { list-style: disc; padding-left: 20px }
summary { cursor: pointer }
"""
)

_WITHOUT_SCRIPT = """
#cut, .line, .tools { display: none }
.before { clip-path: none; width: var(--cut); min-width: 0; overflow: hidden; resize: horizontal;
  border-right: 3px solid #fff }
"""

_SCRIPT = """
"use strict";
const by = (id) => document.getElementById(id);
const view = by("view"), stage = by("stage"), cut = by("cut");
const size = { w: Number(stage.dataset.w), h: Number(stage.dataset.h) };
let x = 0, y = 0, z = 1;

function split(percent) {
  cut.value = Math.max(0, Math.min(100, percent));
  stage.style.setProperty("--cut", cut.value + "%");
}
function swipe(percent) {
  by("show-both").checked = true;
  split(percent);
}
function place() {
  const box = stage.getBoundingClientRect();
  x = Math.min(0, Math.max(box.width * (1 - z), x));
  y = Math.min(0, Math.max(box.height * (1 - z), y));
  view.style.setProperty("--x", x + "px");
  view.style.setProperty("--y", y + "px");
  view.style.setProperty("--z", z);
  view.style.setProperty("--stroke", size.w / box.width);
  stage.classList.toggle("near", z > 1);
}
function zoom(to, atX, atY) {
  const next = Math.max(1, Math.min(40, to));
  x = atX - (atX - x) * next / z;
  y = atY - (atY - y) * next / z;
  z = next;
  place();
}
function middle(factor) {
  const box = stage.getBoundingClientRect();
  zoom(z * factor, box.width / 2, box.height / 2);
}
function choose(id, near) {
  const shape = by(id);
  if (!shape) return;
  for (const each of document.querySelectorAll(".on")) each.classList.remove("on");
  shape.classList.add("on");
  const link = document.querySelector(`#list a[href="#${id}"]`);
  if (link) link.parentElement.classList.add("on");
  if (shape.classList.contains("out")) by("others").checked = true;
  by("lines").checked = true;
  if (!near) {
    if (link) link.parentElement.scrollIntoView({ block: "nearest" });
    return;
  }
  const box = stage.getBoundingClientRect(), scale = box.width / size.w;
  const [x0, y0, x1, y1] = shape.dataset.box.split(" ").map((value) => Number(value) * scale);
  const fits = 0.35 * Math.min(box.width / (x1 - x0 + 1), box.height / (y1 - y0 + 1));
  z = Math.max(1, Math.min(Math.max(2, 6 / scale), fits));
  x = box.width / 2 - z * (x0 + x1) / 2;
  y = box.height / 2 - z * (y0 + y1) / 2;
  place();
  stage.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

cut.addEventListener("input", () => swipe(Number(cut.value)));
for (const [id, percent] of [["show-before", 100], ["show-both", 50], ["show-after", 0]]) {
  by(id).addEventListener("change", () => split(percent));
}
document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.type === "radio" || event.target.type === "checkbox") return;
  event.preventDefault();
  swipe(Number(cut.value) + step);
});
let held = null;
stage.addEventListener("pointerdown", (event) => {
  if (event.target === cut || event.button !== 0) return;
  held = { id: event.pointerId, x: event.clientX, y: event.clientY, moved: false };
});
stage.addEventListener("pointermove", (event) => {
  if (!held || held.id !== event.pointerId) return;
  const dx = event.clientX - held.x, dy = event.clientY - held.y;
  if (!held.moved && Math.hypot(dx, dy) < 5) return;
  if (!held.moved) stage.setPointerCapture(event.pointerId);
  held.moved = true;
  const box = stage.getBoundingClientRect();
  if (z > 1) {
    x += dx;
    y += dy;
    held.x = event.clientX;
    held.y = event.clientY;
    place();
  } else swipe(100 * (event.clientX - box.left) / box.width);
});
stage.addEventListener("pointerup", (event) => {
  const shape = held && !held.moved && event.target.closest("g[id]");
  held = null;
  if (shape) choose(shape.id, false);
});
stage.addEventListener("pointercancel", () => { held = null; });
stage.addEventListener("dragstart", (event) => event.preventDefault());
stage.addEventListener("dblclick", (event) => {
  const box = stage.getBoundingClientRect();
  zoom(z * 2, event.clientX - box.left, event.clientY - box.top);
});
stage.addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoom(z * Math.exp(-event.deltaY / 200), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });
by("closer").addEventListener("click", () => middle(1.6));
by("farther").addEventListener("click", () => middle(1 / 1.6));
by("whole").addEventListener("click", () => { z = 1; place(); });
for (const link of document.querySelectorAll("#list a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    choose(link.getAttribute("href").slice(1), true);
  });
}
window.addEventListener("resize", place);
place();
if (location.hash) choose(location.hash.slice(1), true);
"""

PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="surveyor">
<meta name="viewport" content="width=device-width">
<title>@TITLE@</title>
<style>{_STYLE}</style>
<noscript><style>{_WITHOUT_SCRIPT}</style></noscript>
</head>
<body>
<header><p class="soft">@QUERY@</p><h1>@ANSWER@</h1></header>
<main>
<section>
<div class="view" id="view" style="--wide: @WIDTH@; --high: @HEIGHT@; --stroke: @STROKE@;
--most: calc(82vh * @WIDTH@ / @HEIGHT@)">
<input type="radio" name="show" id="show-before"><label for="show-before">before</label>
<input type="radio" name="show" id="show-both" checked><label for="show-both">both</label>
<input type="radio" name="show" id="show-after"><label for="show-after">after</label>
<input type="checkbox" id="lines" checked><label for="lines">outlines</label>
<input type="checkbox" id="others"><label for="others">rejected</label>
<span class="tools"><button type="button" id="closer" aria-label="closer">+</button>
<button type="button" id="farther" aria-label="farther">−</button>
<button type="button" id="whole">whole</button></span>
<div class="names"><span><b>before</b> @BEFORE_TOLD@</span><span><b>after</b> @AFTER_TOLD@</span></div>
<div class="stage" id="stage" data-w="@WIDTH@" data-h="@HEIGHT@">
<div class="layer"><div class="world"><img src="@AFTER@" width="@WIDTH@" height="@HEIGHT@" alt="after"></div></div>
<div class="layer before"><div class="world">
<img src="@BEFORE@" width="@WIDTH@" height="@HEIGHT@" alt="before"></div></div>
<div class="layer marks"><div class="world">
<svg viewBox="0 0 @WIDTH@ @HEIGHT@" role="group" aria-label="outlines">
<defs><pattern id="stripes" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="9" height="9" fill="#444" fill-opacity=".5"/><rect width="3" height="9" fill="#ddd" fill-opacity=".7"/>
</pattern></defs>
@SHAPES@
</svg></div></div>
<input type="range" id="cut" min="0" max="100" step="0.1" value="50" aria-label="where before ends and after begins">
<div class="line"></div>
</div>
</div>
<ul class="legend">@LEGEND@</ul>
@NOTES@
</section>
<nav aria-label="regions">
@LIST@
</nav>
</main>
<script>{_SCRIPT}</script>
</body>
</html>
"""
