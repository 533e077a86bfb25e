"""The page that `surveyor bench inspect` writes: one item at a time, with keys, a filter and a field for an audit.

One file without anything from elsewhere. What items say reaches the page as JSON, whose `<`, `>` and `&` are escaped,
and is put there as text nodes only.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

MARK = "surveyor bench inspect"
"""Stands in every page, so that a folder is only written over where its page is one of these."""


def page_html(about: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> str:
    """The page.

    Args:
        about: `title`; `facts`, pairs of what the file is; `file`, `sha256`, `task`, which audit.json repeats.
        items: what `inspecting.entry` gives, in the order of showing.

    Example:
        >>> "<script>alert" in page_html({"title": "<script>alert(1)</script>"}, [])
        False
    """
    data = json.dumps({"about": about, "items": items}, ensure_ascii=False, allow_nan=False)
    for char in "<>&\u2028\u2029":  # else "</script>" in an expression would end the data
        data = data.replace(char, f"\\u{ord(char):04x}")
    title = html.escape(str(about.get("title", "")))
    parts = {"MARK": MARK, "TITLE": title, "DATA": data}
    return re.sub("@(MARK|TITLE|DATA)@", lambda found: parts[found[1]], _PAGE)


_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e22; --soft: #666b73; --line: #d5d8dd; --ground: #fff; --chip: #eef0f3;
  --right: #00795a; --wrong: #b3261e; --unclear: #8a5a00 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaee; --soft: #a0a6b0; --line: #3b4048; --ground: #17191d;
  --chip: #282c33; --right: #4fd6ac; --wrong: #ff8a80; --unclear: #ffc56b } }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground) }
header { position: sticky; top: 0; display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center;
  padding: 8px 16px; background: var(--ground); border-bottom: 1px solid var(--line) }
header h1 { font-size: 15px; margin: 0 8px 0 0 }
button, select, input { font: inherit; color: inherit; background: var(--chip); border: 1px solid var(--line);
  border-radius: 6px; padding: 3px 10px }
button { cursor: pointer }
button:focus-visible, select:focus-visible, input:focus-visible { outline: 2px solid #2f7fd0; outline-offset: 1px }
#place { min-width: 8em; text-align: center; font-variant-numeric: tabular-nums }
main { display: grid; grid-template-columns: minmax(0, 3fr) minmax(300px, 2fr); gap: 24px; padding: 16px }
@media (max-width: 900px) { main { grid-template-columns: minmax(0, 1fr) } }
main img { max-width: 100%; max-height: 84vh; display: block; border-radius: 4px }
h2 { font-size: 21px; line-height: 1.3; margin: 0 0 8px; overflow-wrap: anywhere }
h3 { font-size: 13px; margin: 16px 0 2px; color: var(--soft); font-weight: 600 }
ul, ol { margin: 0; padding-left: 20px }
.tree, table { font-size: 14px } .tree div { padding-left: calc(var(--depth) * 20px) }
table { border-collapse: collapse } td { padding: 1px 12px 1px 0; vertical-align: top; overflow-wrap: anywhere }
td:first-child { color: var(--soft); white-space: nowrap }
.chips { display: flex; flex-wrap: wrap; gap: 4px } .chips button { font-size: 13px; padding: 0 8px }
.audit { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 12px 0 }
.audit input[type=text] { flex: 1 1 12em }
[data-verdict].on { color: var(--ground); border-color: transparent }
[data-verdict=right].on { background: var(--right) } [data-verdict=wrong].on { background: var(--wrong) }
[data-verdict=unclear].on { background: var(--unclear) }
.soft { color: var(--soft) } .bad { color: var(--wrong) } .good { color: var(--right) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; font-size: 13px }
footer { padding: 8px 16px 24px; border-top: 1px solid var(--line) }
kbd { border: 1px solid var(--line); border-radius: 4px; padding: 0 5px; font-size: 13px }
"""

_SCRIPT = """
"use strict";
const { about, items } = JSON.parse(document.getElementById("data").textContent);
const KEY = "surveyor audit " + about.sha256;
const by = (id) => document.getElementById(id);
let shown = items, at = 0, kept = true, audit = {};
try { audit = JSON.parse(localStorage.getItem(KEY)) || {}; } catch (error) { kept = false; }

function make(name, text, className) {
  const found = document.createElement(name);
  if (text !== undefined) found.textContent = text;
  if (className) found.className = className;
  return found;
}
function list(kind, texts) {
  const found = make(kind);
  for (const text of texts) found.append(make("li", text));
  return found;
}
function table(rows) {
  const found = make("table");
  for (const row of rows) {
    const line = make("tr");
    for (const cell of row) line.append(make("td", cell));
    found.append(line);
  }
  return found;
}
function tree(lines) {
  const found = make("div", undefined, "tree");
  for (const [depth, text] of lines) {
    const line = make("div", text);
    line.style.setProperty("--depth", depth);
    found.append(line);
  }
  return found;
}
function button(text, act) {
  const found = make("button", text);
  found.type = "button";
  found.addEventListener("click", act);
  return found;
}
function part(name, content) {
  if (content) by("words").append(make("h3", name), content);
}

function show() {
  const item = shown[at];
  by("place").textContent = shown.length ? `item ${at + 1} of ${shown.length}` : "no item";
  by("item").hidden = !item;
  by("words").replaceChildren();
  if (!item) return count();
  history.replaceState(null, "", "#" + encodeURIComponent(item.id));
  const picture = by("picture");
  picture.src = item.picture;
  picture.alt = item.expression;
  if (shown[at + 1]) new Image().src = shown[at + 1].picture;
  by("expression").textContent = item.expression;
  by("id").textContent = item.id;
  part("other wordings", item.paraphrases.length && list("ul", item.paraphrases));
  part("condition tree", item.tree.length && tree(item.tree));
  part("steps", item.steps.length && list("ol", item.steps));
  part("right", item.answers.length ? table(item.answers) : make("div", item.none));
  part("right words", item.texts.length && list("ul", item.texts));
  if (item.run) part("the run", run(item.run));
  part("tags", chips(item.tags));
  if (item.twin) part("twin, with the other truth", twin(item.twin));
  part("what is wrong, and answers that each condition removes",
    item.distractors.length && table(item.distractors));
  part("where it comes from", table(item.provenance));
  judged();
  count();
}
function chips(tags) {
  const found = make("div", undefined, "chips");
  for (const tag of tags) found.append(button(tag, () => { by("tag").value = tag; filter(); }));
  return found;
}
function twin(other) {
  const found = make("div");
  found.append(make("div", other.expression));
  const place = items.findIndex((item) => item.id === other.id);
  if (place < 0) found.append(make("span", `${other.id}, not on this page`, "soft"));
  else found.append(button(`go to ${other.id}`, () => jump(other.id)));
  return found;
}
function run(given) {
  const found = make("div");
  found.append(make("div", given.told, given.right ? "good" : "bad"));
  if (given.lines.length) found.append(table(given.lines));
  if (given.tree.length) found.append(make("div", "understood as:", "bad"), tree(given.tree));
  if (given.said) found.append(make("pre", given.said));
  return found;
}

function go(where) {
  at = Math.max(0, Math.min(shown.length - 1, where));
  show();
}
function jump(id) {
  if (!shown.some((item) => item.id === id)) {
    for (const name of ["tag", "state"]) by(name).value = "";
    filter();
  }
  go(Math.max(0, shown.findIndex((item) => item.id === id)));
}
function filter() {
  const here = shown[at] && shown[at].id;
  const tag = by("tag").value, state = by("state").value;
  shown = items.filter((item) => (!tag || item.tags.includes(tag)) && (!state || states(item).includes(state)));
  go(Math.max(0, shown.findIndex((item) => item.id === here)));
}
function states(item) {
  const found = [audit[item.id] && audit[item.id].verdict ? "audit: " + audit[item.id].verdict : "audit: open"];
  if (item.run) found.push("run: " + item.run.state);
  return found;
}

function keep() {
  try { localStorage.setItem(KEY, JSON.stringify(audit)); } catch (error) { kept = false; }
  count();
}
function judged() {
  const mine = shown[at] && audit[shown[at].id];
  for (const each of document.querySelectorAll("[data-verdict]")) {
    const on = Boolean(mine) && mine.verdict === each.dataset.verdict;
    each.classList.toggle("on", on);
    each.setAttribute("aria-pressed", on);
  }
  by("note").value = (mine && mine.note) || "";
}
function judge(verdict) {
  const item = shown[at];
  if (!item) return;
  const note = by("note").value.trim();
  if (!verdict && !note) delete audit[item.id];
  else audit[item.id] = { verdict: verdict || null, note, at: new Date().toISOString() };
  keep();
  if (verdict && by("onward").checked && at + 1 < shown.length) go(at + 1);
  else judged();
}
function annotate() {
  const item = shown[at];
  if (!item) return;
  const mine = audit[item.id] || { verdict: null };
  const note = by("note").value.trim();
  if (!note && !mine.verdict) delete audit[item.id];
  else audit[item.id] = { verdict: mine.verdict, note, at: new Date().toISOString() };
  keep();
}
function count() {
  const total = { right: 0, wrong: 0, unclear: 0 };
  for (const each of Object.values(audit)) if (each.verdict in total) total[each.verdict] += 1;
  by("count").textContent = Object.entries(total).map(([name, n]) => `${n} ${name}`).join(", ") +
    (kept ? "" : " (this browser keeps nothing: download before you leave)");
}
function auditFile() {
  const judgements = Object.entries(audit).map(([id, each]) => ({ id, ...each }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  return { audit: 1, items: about.file, sha256: about.sha256, task: about.task, saved: new Date().toISOString(),
    judgements };
}
function download() {
  const file = new Blob([JSON.stringify(auditFile(), null, 1) + "\\n"], { type: "application/json" });
  const link = make("a");
  link.href = URL.createObjectURL(file);
  link.download = "audit.json";
  link.click();
  URL.revokeObjectURL(link.href);
}

const KEYS = {
  ArrowRight: () => go(at + 1), j: () => go(at + 1), ArrowLeft: () => go(at - 1), k: () => go(at - 1),
  Home: () => go(0), End: () => go(shown.length - 1),
  1: () => judge("right"), 2: () => judge("wrong"), 3: () => judge("unclear"), 0: () => judge(""),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) {
    if (event.key === "Escape" || event.key === "Enter") event.target.blur();
    return;
  }
  if (Object.hasOwn(KEYS, event.key)) {
    event.preventDefault();
    KEYS[event.key]();
  }
});
for (const [id, act] of [["first", () => go(0)], ["back", () => go(at - 1)], ["on", () => go(at + 1)],
  ["last", () => go(shown.length - 1)], ["download", download]]) by(id).addEventListener("click", act);
for (const each of document.querySelectorAll("[data-verdict]")) {
  each.addEventListener("click", () => judge(each.classList.contains("on") ? "" : each.dataset.verdict));
}
by("note").addEventListener("input", annotate);
for (const name of ["tag", "state"]) by(name).addEventListener("change", filter);
function offer(name, values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
  for (const value of [...counts.keys()].sort()) {
    const choice = make("option", `${value} (${counts.get(value)})`);
    choice.value = value;
    by(name).append(choice);
  }
}
offer("tag", items.flatMap((item) => item.tags));
for (const value of ["audit: open", "audit: right", "audit: wrong", "audit: unclear",
  ...new Set(items.flatMap((item) => (item.run ? ["run: " + item.run.state] : [])))]) {
  const choice = make("option", value);
  choice.value = value;
  by("state").append(choice);
}
by("facts").append(table(about.facts || []));
window.addEventListener("hashchange", () => jump(decodeURIComponent(location.hash.slice(1))));
if (location.hash) jump(decodeURIComponent(location.hash.slice(1)));
else show();
"""

_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="@MARK@">
<meta name="viewport" content="width=device-width">
<title>@TITLE@</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>@TITLE@</h1>
<button type="button" id="first" title="Home" aria-label="first">«</button>
<button type="button" id="back" title="left arrow, k" aria-label="back">‹</button>
<span id="place" aria-live="polite"></span>
<button type="button" id="on" title="right arrow, j" aria-label="on">›</button>
<button type="button" id="last" title="End" aria-label="last">»</button>
<select id="tag" aria-label="only with a tag"><option value="">all tags</option></select>
<select id="state" aria-label="only with a state"><option value="">all</option></select>
<span id="count" class="soft"></span>
<button type="button" id="download">download audit.json</button>
</header>
<noscript><p>This page needs JavaScript; contact.png shows the same items.</p></noscript>
<main id="item">
<div><img id="picture" alt=""></div>
<div>
<h2 id="expression"></h2>
<div id="id" class="soft"></div>
<div class="audit" role="group" aria-label="audit">
<button type="button" data-verdict="right" title="1">right</button>
<button type="button" data-verdict="wrong" title="2">wrong</button>
<button type="button" data-verdict="unclear" title="3">unclear</button>
<input type="text" id="note" placeholder="why" aria-label="why">
<label><input type="checkbox" id="onward" checked> go on</label>
</div>
<div id="words"></div>
</div>
</main>
<footer>
<p class="soft"><kbd>←</kbd> <kbd>→</kbd> back, on; <kbd>Home</kbd> <kbd>End</kbd> first, last; <kbd>1</kbd> right,
<kbd>2</kbd> wrong, <kbd>3</kbd> unclear, <kbd>0</kbd> takes it back. An item is right if a careful person who reads the
words and looks at the image gives the same answer, wrong if another one, unclear if people may differ.</p>
<div id="facts"></div>
</footer>
<script type="application/json" id="data">@DATA@</script>
<script>{_SCRIPT}</script>
</body>
</html>
"""
