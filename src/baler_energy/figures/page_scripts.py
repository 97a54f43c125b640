"""Styles and scripts of the report's pages; browsers run them without a network, and Python never does."""

__all__ = ["FIGURE_SCRIPT", "FIGURE_STYLE", "TABLE_SCRIPT", "TABLE_STYLE"]

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #14213d; background: #fff; margin: 0 1.2rem 1.2rem; }
h1 { font-size: 1.25rem; margin: .8rem 0 .4rem; }
p { max-width: 60rem; margin: .3rem 0; white-space: pre-line; }
button, input { font: inherit; padding: .1rem .5rem; }
"""

TABLE_STYLE = f"""{_STYLE}
summary {{ cursor: pointer; }}
.tools {{ display: flex; gap: .8rem; align-items: baseline; margin: .8rem 0 .5rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: .3rem .7rem .3rem 0; }}
th {{ vertical-align: bottom; position: sticky; top: 0; background: #fff; box-shadow: 0 2px #14213d; }}
th[tabindex] {{ cursor: pointer; }}
th[aria-sort=ascending]::after {{ content: " \\25b2"; }}
th[aria-sort=descending]::after {{ content: " \\25bc"; }}
td {{ vertical-align: top; border-bottom: 1px solid #d5d9e2; white-space: pre-line; }}
td.number {{ text-align: right; white-space: nowrap; }}
td.long {{ min-width: 13em; }}
td.whole {{ font-weight: 600; }}
td.whole span {{ display: block; max-width: 60rem; }}
tr:hover td {{ background: #f2f5fa; }}
"""

#: Sorts rows at a click on a heading, first numbers, then words; filters them; hides columns.
TABLE_SCRIPT = r"""
"use strict";
const table = document.querySelector("table"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
const first = [...body.rows].filter(row => row.cells[0].className === "whole");
const rows = [...body.rows].filter(row => row.cells[0].className !== "whole");
const texts = new Map(rows.map(row => [row, [...row.cells].map(cell => cell.textContent).join("\n").toLowerCase()]));
const hiding = document.head.appendChild(document.createElement("style"));
const filter = document.createElement("input"), count = document.createElement("span");
const columns = document.createElement("button");
let every = false;

function hide(places) {
  const selectors = places.map(place => `tr > :nth-child(${place + 1}):not(.whole)`);
  hiding.textContent = selectors.length ? `${selectors.join(", ")} { display: none }` : "";
}

function fit() {
  const hidden = every ? [] : [...heads.keys()].filter(place => heads[place].classList.contains("same"));
  hide(hidden);
  if (!every) {
    table.style.width = "0";  // every column is as narrow as its words allow
    const widths = heads.map(head => head.offsetWidth);
    table.style.width = "";
    let over = widths.reduce((sum, width) => sum + width, 0) - document.body.clientWidth;
    for (let place = heads.length - 1; place >= 0 && over > 0; place--) {
      if (widths[place] > 0 && !heads[place].classList.contains("main")) {
        hidden.push(place);
        over -= widths[place];
      }
    }
    hide(hidden);
  }
  columns.hidden = !every && hidden.length === 0;
  columns.textContent = every ? "Fewer columns" : `All ${heads.length} columns`;
}

function valueOf(cell) {
  const text = cell.dataset.value ?? cell.textContent.replaceAll(",", "");
  return /^[-+]?\d/.test(text) ? parseFloat(text) : null;
}

function compareAt(place, sign) {
  return (one, other) => {
    const [a, b] = [one.cells[place], other.cells[place]], [x, y] = [valueOf(a), valueOf(b)];
    if ((x === null) !== (y === null)) return x === null ? 1 : -1;
    return sign * (x === null ? a.textContent.localeCompare(b.textContent, "en", {numeric: true}) : x - y);
  };
}

function sort(place) {
  const next = {none: "ascending", ascending: "descending", descending: "none"};
  const turn = next[heads[place].getAttribute("aria-sort") ?? "none"];
  heads.forEach((head, other) => head.setAttribute("aria-sort", other === place ? turn : "none"));
  const ordered = turn === "none" ? rows : [...rows].sort(compareAt(place, turn === "ascending" ? 1 : -1));
  body.append(...first, ...ordered);
}

function choose() {
  const words = filter.value.toLowerCase().split(/\s+/);
  for (const row of rows) row.hidden = !words.every(word => texts.get(row).includes(word));
  const shown = rows.filter(row => !row.hidden).length;
  count.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
}

heads.forEach((head, place) => {
  head.tabIndex = 0;
  head.onclick = () => sort(place);
  head.onkeydown = event => { if (event.key === "Enter") sort(place); };
});
filter.type = "search";
filter.placeholder = "Filter rows";
filter.title = "Shows the rows that contain all of these words";
filter.oninput = choose;
columns.type = "button";
columns.onclick = () => { every = !every; fit(); };
document.querySelector(".tools").prepend(filter, count, columns);
choose();
fit();
window.onresize = fit;
"""

FIGURE_STYLE = f"""{_STYLE}
body {{ display: flex; flex-direction: column; height: 100vh; margin: 0; }}
header {{ display: flex; gap: 1rem; align-items: baseline; padding: 0 1.2rem; border-bottom: 1px solid #d5d9e2; }}
header span {{ white-space: nowrap; }}
main {{ flex: auto; min-height: 0; overflow: auto; padding: .6rem 1.2rem; }}
img {{ width: calc(var(--zoom, 1) * min(100vw - 2.4rem, 60rem)); }}
"""

#: Zooms with buttons, and at a double click around the pointer.
FIGURE_SCRIPT = r"""
"use strict";
const picture = document.querySelector("img"), area = document.querySelector("main");
let level = 1;

function zoom(to, x, y) {
  const before = picture.getBoundingClientRect();
  level = Math.min(16, Math.max(0.1, to));
  picture.style.setProperty("--zoom", level);
  const after = picture.getBoundingClientRect(), scale = after.width / before.width;
  area.scrollBy(after.left + (x - before.left) * scale - x, after.top + (y - before.top) * scale - y);
}

for (const button of document.querySelectorAll("button")) {
  button.onclick = () => zoom(button.value ? level * button.value : 1, innerWidth / 2, innerHeight / 2);
}
picture.ondblclick = event => zoom(2 * level, event.clientX, event.clientY);
"""
