// What is looked for inside a page. Each function runs in the page by itself, without anything of this file around it.

/** The page is wider than its window. */
export function tooWide() {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  return wide > 1 ? [`the page is ${wide} pixels wider than its window`] : [];
}

/** Text that does not fit into its element, where no scrollbar helps; and text of drawings that leaves the drawing. */
export function cutTexts() {
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    if (element.closest('svg, .skip, .uplot') || !element.clientWidth) continue;
    const style = getComputedStyle(element);
    if (style.overflowX === 'hidden' && style.textOverflow !== 'ellipsis' && element.scrollWidth > element.clientWidth + 1) {
      found.push(`cut: ${element.className || element.tagName}: ${element.textContent.slice(0, 60)}`);
    }
    // Only regions that a keyboard reaches may scroll.
    if (/auto|scroll/.test(style.overflowX) && element.scrollWidth > element.clientWidth + 1 && element.tabIndex < 0) {
      found.push(`scrolls without a keyboard: ${element.className || element.tagName}`);
    }
  }
  for (const drawing of document.querySelectorAll('svg.chart')) {
    const frame = drawing.getBoundingClientRect();
    if (!frame.width) continue;
    for (const text of drawing.querySelectorAll('text')) {
      const box = text.getBoundingClientRect();
      if (box.left < frame.left - 1.5 || box.right > frame.right + 1.5 || box.bottom > frame.bottom + 1.5) {
        found.push(`leaves its drawing: ${text.textContent}`);
      }
    }
  }
  return found;
}

/** Labels of drawings that stand on each other. */
export function misplacedTexts() {
  const found = [];
  for (const drawing of document.querySelectorAll('svg.chart')) {
    if (!drawing.getBoundingClientRect().width) continue;
    const labels = [...drawing.querySelectorAll('text')].map(text => ({ said: text.textContent, box: text.getBoundingClientRect() }));
    labels.forEach((one, at) => {
      for (const two of labels.slice(at + 1)) {
        const wide = Math.min(one.box.right, two.box.right) - Math.max(one.box.left, two.box.left);
        const high = Math.min(one.box.bottom, two.box.bottom) - Math.max(one.box.top, two.box.top);
        // Boxes are as high as the font's longest letters; a few pixels of them are air.
        if (wide > 1 && high > 4) found.push(`"${one.said}" stands on "${two.said}"`);
      }
    });
  }
  return found;
}

/** Names of the charts that can be zoomed: none stands on another, and none is cut. */
export function misplacedKeys() {
  const found = [];
  for (const panel of document.querySelectorAll('.live .panel')) {
    if (!panel.getClientRects().length) continue;
    const frame = panel.getBoundingClientRect();
    const keys = [...panel.querySelectorAll('p b, p span, li')].map(key => ({ said: key.textContent, box: key.getBoundingClientRect() }))
      .filter(key => key.box.width > 0);
    keys.forEach((one, at) => {
      if (one.box.left < frame.left - 1.5 || one.box.right > frame.right + 1.5) found.push(`leaves its panel: ${one.said}`);
      for (const two of keys.slice(at + 1)) {
        const wide = Math.min(one.box.right, two.box.right) - Math.max(one.box.left, two.box.left);
        const high = Math.min(one.box.bottom, two.box.bottom) - Math.max(one.box.top, two.box.top);
        if (wide > 1 && high > 4) found.push(`"${one.said}" stands on "${two.said}"`);
      }
    });
    for (const key of panel.querySelectorAll('li')) {
      if (key.scrollWidth > key.clientWidth + 1) found.push(`cut: ${key.textContent}`);
    }
  }
  return found;
}

/** The cells of the tables that hold figures, by section: the first text of row heads, the whole text of other cells. */
export function tables() {
  const said = cell => (cell.tagName === 'TH' ? [...cell.childNodes].find(node => node.nodeType === 3 && node.data.trim())?.data ?? '' : cell.innerText)
    .trim();
  const rows = table => [...(table?.tBodies ?? [])].flatMap(body => [...body.rows]).map(row => [...row.cells].map(said));
  return {
    gates: rows(document.querySelector('#gates table')),
    windows: rows(document.querySelector('#latency .scroll[aria-label="Windows"] table')),
    faults: rows(document.querySelector('#resilience table')),
    steps: rows(document.querySelector('#steps table')),
    errors: rows(document.querySelector('#errors table')),
    served: [...document.querySelectorAll('#instances table')].flatMap(rows),
  };
}
