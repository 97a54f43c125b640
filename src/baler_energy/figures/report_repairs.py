"""Repairs of Snakemake's HTML report, whose first page brings them along: widths, places, search."""

import html

__all__ = ["REPAIRS"]

_STYLE = """
/* Pages taller or wider than the window: their start is in reach. */
.grow.h-screen { align-items: safe center; justify-content: safe center }
/* The first page: its text is as wide as its tables, and the rule graph is below it. */
.grow.flex.gap-3 { flex-direction: column }
.grow .prose { max-width: 64rem }
.grow .prose table { display: block; overflow-x: auto }
/* The list of pages: its long titles wrap, and the page keeps most of the window. */
nav.h-screen:not(.w-0) { width: 22rem; min-width: 22rem; flex: none }
nav.h-screen nav { white-space: normal; overflow-wrap: anywhere; min-width: 0 }
nav.h-screen ol { flex-wrap: wrap }
nav.h-screen td { white-space: normal }
nav.h-screen td:last-child { white-space: nowrap }
"""

#: Keeps the style when another page is shown. Snakemake 9.27 searches the paths of results only, finds nothing in
#: another case, and keeps the results of the first search; parameters of a job are of no use to a reader.
_SCRIPT = r"""
this.onload = null;
if (!document.getElementById('repairs') && typeof SearchResults === 'function') {
  this.id = 'repairs';
  document.head.append(this);
  SearchResults.prototype.getResults = function () {
    const term = this.props.searchTerm.trim(), words = term.replace(/[^\w\s]/g, '\\$&');
    const wanted = new RegExp(term.startsWith('re:') ? term.slice(3) : words, 'i');
    return Object.entries(results).filter(([path, found]) => {
      const said = [path, ...Object.values(found.labels || {}), found.caption.replace(/<[^>]*>/g, '')];
      return said.some(text => wanted.test(text));
    });
  };
  SearchResults.prototype.componentDidUpdate = function (before) {
    if (before.searchTerm !== this.props.searchTerm) this.setState({ data: this.getData() });
  };
  ResultInfo.prototype.getParamsAndWildcards = () => [];
}
"""

_ELEMENT = f'<style onload="{html.escape(_SCRIPT.strip())}">{_STYLE}</style>'
#: A directive of reStructuredText.
REPAIRS = "\n".join([".. raw:: html", "", *(f"   {line}" for line in _ELEMENT.splitlines())])
