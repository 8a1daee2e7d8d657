/** The style sheet of the report page: dark and light, from a phone to a wall. */
export const HTML_STYLE = `
:root {
  color-scheme: light dark;
  --page: #fbfbf9; --card: #ffffff; --ink: #22262b; --soft: #666e78; --line: #e3e4e0; --track: #eeeeea; --bar: #4f7cac;
  --delivered: #5a9a77; --reset: #c8453b; --refused: #a2559e; --timeout: #d9982b; --endpoint-closed: #3f9aa8;
  --misdelivered: #5b6fc4; --unknown: #a5abb2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15181c; --card: #1c2025; --ink: #e4e6e8; --soft: #98a0a9; --line: #2e343b; --track: #272c32; --bar: #6f9fd0;
    --delivered: #5fa982; --reset: #e0665c; --refused: #c07cbc; --timeout: #e0ab4c; --endpoint-closed: #5bb2bf;
    --misdelivered: #8494e0; --unknown: #6d757e;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 76rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere;
}
h1 { margin: 0; font-size: 1.05rem; font-weight: 600; }
h2 { margin: 2.2rem 0 .6rem; font-size: 1rem; font-weight: 600; }
p { margin: .3rem 0; }
.soft { color: var(--soft); }
.verdict { margin: 1.2rem 0 .6rem; font-size: clamp(1.5rem, 4vw, 2.2rem); font-weight: 650; line-height: 1.15; letter-spacing: -.01em; }
.verdict.broke b { color: var(--reset); }
.verdict.fine b { color: var(--delivered); }
.strip { display: flex; gap: 2px; height: 1.1rem; border-radius: 4px; overflow: hidden; }
.strip i { min-width: 3px; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.3rem; margin: .5rem 0 0; padding: 0; list-style: none; }
.dot { display: inline-block; width: .7em; height: .7em; margin-right: .45em; border-radius: 2px; }
table { width: 100%; overflow-wrap: break-word; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; text-align: left; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { padding-left: 0; }
.n { text-align: right; white-space: nowrap; }
.id { white-space: nowrap; }
.what { min-width: 15rem; }
.scroll { overflow-x: auto; }
.tall { max-height: 28rem; overflow-y: auto; }
.scroll svg { min-width: 40rem; }
.load { display: grid; grid-template-columns: fit-content(45%) minmax(4rem, 1fr) max-content; gap: .3rem .8rem; align-items: center; font-variant-numeric: tabular-nums; }
.track { height: .8rem; border-radius: 3px; background: var(--track); }
.track i { display: block; height: 100%; border-radius: 3px; background: var(--bar); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 3rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11px; font-family: inherit; }
svg .axis { stroke: var(--line); }
svg .event { stroke: var(--soft); stroke-dasharray: 2 3; }
.filters { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0 0 .8rem; }
button, input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .25rem .7rem; }
button { cursor: pointer; }
button[aria-pressed="true"] { border-color: var(--ink); }
input { flex: 1 1 14rem; min-width: 0; }
button.row { padding: 0; border: 0; background: none; color: var(--soft); }
:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
tr.detail td { padding: .2rem 0 1rem 1.6rem; }
tr.detail ol { margin: .2rem 0; padding-left: 1.2rem; }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media print { .filters, #more { display: none; } }
`;
