"""The style sheet of report.html: light and dark, screen and paper, nothing fetched from elsewhere."""

CSS = """
:root { color-scheme: light dark;
  --ink: #1c2330; --soft: #5b6577; --paper: #ffffff; --band: #f4f6f9; --line: #d9dee7; --link: #1f5fbf;
  --good: #1a7f4b; --bad: #b3261e; --warn: #8a5a00; --warn-band: #fff4d6; --heat: #cfe3fa;
  --c0: #5b6577; --c1: #3567b8; --c2: #d17b0f; --c3: #7a4fb5; --c4: #2a8f6f; --c5: #9aa3b2; }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e4e8ef; --soft: #9aa5b8; --paper: #14181f; --band: #1c222c; --line: #333c4a; --link: #7fb0ff;
  --good: #63c991; --bad: #ff8a80; --warn: #ffcf70; --warn-band: #3a2f14; --heat: #1f3a5c;
  --c0: #8c97a9; --c1: #6f9fe8; --c2: #f0a445; --c3: #b08ce6; --c4: #58c2a0; --c5: #5d6778; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 84rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p, ul { margin: .4rem 0; } a { color: var(--link); } .soft { color: var(--soft); }
code, pre { font: .86em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--band); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; margin: .4rem 0;
  overflow-x: auto; white-space: pre; }
pre.folded { white-space: pre-wrap; overflow-wrap: anywhere; }
.loud { background: var(--warn-band); color: var(--warn); border-left: 4px solid var(--warn); padding: .5rem .8rem;
  margin: .6rem 0; font-weight: 600; }
.wide { overflow-x: auto; margin: .4rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; vertical-align: baseline; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } thead th { vertical-align: bottom; overflow-wrap: break-word; min-width: 5.5rem; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--paper);
  min-width: 12rem; font-weight: 400; }
tbody tr:hover td, tbody tr:hover th { background-color: var(--band); }
table.words td { text-align: left; max-width: 22rem; overflow-wrap: break-word; }
table.words th { text-align: left; min-width: 7rem; }
@media (max-width: 40rem) { th:first-child, td:first-child { min-width: 8rem; } }
td small { display: block; color: var(--soft); white-space: nowrap; } td.fig { white-space: nowrap; }
th code, td code { color: var(--soft); }
td.heat { background: linear-gradient(to right, var(--heat) var(--v), transparent var(--v)); }
tr.group td { font-weight: 600; background: var(--band); }
tr.few td { color: var(--soft); } tr.few td.heat { background: none; }
tr.paper td { font-style: italic; color: var(--soft); }
.up { color: var(--good); font-weight: 600; } .down { color: var(--bad); font-weight: 600; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--link); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .4rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; display: block; } svg text { fill: var(--ink); font-size: 13px; }
svg .soft { fill: var(--soft); } svg .axis { stroke: var(--line); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; margin: .6rem 0; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: .8rem; overflow-wrap: anywhere;
  break-inside: avoid; }
@media (min-width: 50rem) { .card.pair { grid-column: span 2; } }
.card img { width: 100%; height: auto; border-radius: 4px; background: #fff; }
.card h4 { margin: 0 0 .35rem; font-size: 1rem; } .card p { margin: .2rem 0; }
.tag { display: inline-block; border-radius: 4px; padding: 0 .4rem; background: var(--band); font-size: .85em;
  border: 1px solid var(--line); }
.tag.kind { background: var(--warn-band); color: var(--warn); border-color: transparent; }
@media print { body { max-width: none; font-size: 11px; } details > summary { display: none; } }
"""
