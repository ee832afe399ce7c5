// Makes the charts over time ones that can be zoomed, with one cursor over all of them. Everything that is drawn here stands in
// the page already as a static drawing and as a table; in print, and when anything here fails, those are shown.
// The data is written by reports/src/render/html/live.rs, which says what each field is.
(() => {
  'use strict';
  const figure = document.querySelector('figure.timeline');
  const source = document.getElementById('live-data');
  if (!figure || !source || !window.uPlot) return;
  const data = JSON.parse(source.textContent);
  const times = data.latency[0].map((_, at) => Math.min((at + 0.5) * data.width_s, data.end_s));
  const known = time => time <= data.load_s;

  // Numbers as the page writes them (reports/src/render/format.rs).
  const fixed = (value, places) => value.toFixed(places).replace(/\.?0+$/, '');
  const span = ms => {
    if (ms == null) return '–';
    if (ms === 0) return '0 ms';
    if (ms < 0.01) return '<0.01 ms';
    if (ms < 0.995) return `${fixed(+ms.toFixed(2), 2)} ms`;
    if (ms < 99.95) return `${fixed(ms, 1)} ms`;
    if (ms < 999.5) return `${ms.toFixed(0)} ms`;
    if (ms < 9995) return `${(ms / 1e3).toFixed(2).replace(/\.?0+$/, '')} s`;
    if (ms < 59950) return `${(ms / 1e3).toFixed(1).replace(/\.0$/, '')} s`;
    return clock(ms / 1e3, 3600);
  };
  const grouped = value => value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 2 : 1 });
  const two = value => String(Math.floor(value)).padStart(2, '0');
  const clock = (at, end) => {
    if (end <= 120) return `${fixed(at, 2) || 0} s`;
    const seconds = data.width_s < 1 ? two(at % 60) + (at % 1).toFixed(2).slice(1) : two(at % 60);
    const minutes = Math.floor(at % 3600 / 60);
    return end < 3600 ? `${minutes}:${seconds}` : `${Math.floor(at / 3600)}:${two(minutes)}:${seconds}`;
  };

  // Colours and dashes come from the style sheet, so that both themes need no second table.
  const probe = figure.appendChild(document.createElement('i'));
  probe.hidden = true;
  const styled = (names, property) => {
    probe.className = names;
    return getComputedStyle(probe).getPropertyValue(property).trim();
  };
  const variable = name => styled('', name);
  const dashes = text => (/\d/.test(text) ? text.split(/[\s,]+/).map(Number) : []);

  function lineAt(u, x, colour, width, dash) {
    const ratio = devicePixelRatio;
    const at = Math.round(u.valToPos(x, 'x', true));
    const { left, width: wide } = u.bbox;
    if (at < left || at > left + wide) return;
    Object.assign(u.ctx, { strokeStyle: colour, lineWidth: width * ratio });
    u.ctx.setLineDash(dash.map(part => part * ratio));
    u.ctx.beginPath();
    u.ctx.moveTo(at, 0);
    u.ctx.lineTo(at, u.bbox.top + u.bbox.height);
    u.ctx.stroke();
  }

  // Faults and markers, below the lines, from edge to edge: the charts stand on each other without a gap.
  function drawBehind(u) {
    const { ctx, bbox } = u;
    ctx.save();
    for (const fault of data.faults) {
      const colour = styled(fault.style, '--c');
      const dash = dashes(styled(fault.style, '--dash'));
      for (const [from, to] of fault.spans) {
        const ends = [from, to].map(at => Math.min(Math.max(u.valToPos(at, 'x', true), bbox.left), bbox.left + bbox.width));
        ctx.fillStyle = colour;
        ctx.globalAlpha = 0.12;
        ctx.fillRect(ends[0], 0, Math.max(ends[1] - ends[0], 1), bbox.top + bbox.height);
        ctx.globalAlpha = 1;
        for (const at of [from, to]) lineAt(u, at, colour, 1, dash);
      }
    }
    for (const [from, to] of data.holds) {
      const ends = [from, to].map(at => Math.min(Math.max(u.valToPos(at, 'x', true), bbox.left), bbox.left + bbox.width));
      Object.assign(ctx, { fillStyle: variable('--muted'), globalAlpha: 0.1 });
      ctx.fillRect(ends[0], 0, ends[1] - ends[0], bbox.top + bbox.height);
      ctx.globalAlpha = 1;
    }
    for (const at of data.lost) lineAt(u, at, variable('--e0'), 1.2, [1.5, 3]);
    for (const at of data.recovered) lineAt(u, at, variable('--good'), 1.2, []);
    const chosen = data.moments[Number((location.hash.match(/^#moment-(\d+)$/) || [])[1]) - 1];
    if (chosen != null) lineAt(u, chosen, variable('--accent'), 2, []);
    ctx.restore();
  }

  // The objectives' limits, above the lines.
  function drawLimits(u) {
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.font = `${12 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    for (const limit of data.limits) {
      const y = Math.round(u.valToPos(limit.ms, 'y', true));
      Object.assign(ctx, { strokeStyle: variable('--ink'), lineWidth: 1.2 * ratio });
      ctx.setLineDash([8 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.setLineDash([]);
      Object.assign(ctx, { strokeStyle: variable('--bg'), lineWidth: 4 * ratio, lineJoin: 'round', textAlign: 'left' });
      ctx.strokeText(limit.text, bbox.left + 5 * ratio, y - 5 * ratio);
      ctx.fillStyle = variable('--ink');
      ctx.fillText(limit.text, bbox.left + 5 * ratio, y - 5 * ratio);
    }
    ctx.restore();
  }

  const latency = ['p50', 'p90', 'p99', 'max'].map((name, at) => ({
    name, values: data.latency[at], say: span, width: name === 'p99' ? 2.2 : name === 'max' ? 1 : 1.6,
    colour: `--${name}`, dash: name === 'max' ? [1, 3] : [],
  }));
  const cut = values => values.map((value, at) => (known(times[at]) ? value : null));
  const rate = value => (value == null ? '–' : `${grouped(value)}/s`);
  const rates = [
    { name: 'completed', values: cut(data.completed), say: rate, width: 2, colour: '--accent', dash: [] },
    { name: 'offered', values: cut(data.offered), say: rate, width: 1, colour: '--ink', dash: [2, 3] },
  ];
  // Stacked: each class on top of those before it, drawn from the highest on.
  const sums = [];
  data.errors.forEach((of, at) => sums.push(of.rates.map((value, bin) => value + (at ? sums[at - 1][bin] : 0))));
  const errors = data.errors.map((of, at) => ({ name: of.class, values: sums[at], own: of.rates, say: rate, colour: `--e${at}`, area: true })).reverse();

  const PANELS = [
    { title: 'Latency', unit: ['from intended start', 'to last byte', 'log scale'], height: 246, lines: latency, log: true },
    { title: 'Requests', unit: ['per second'], height: 118, lines: rates },
    { title: 'Errors', unit: ['per second', 'by class'], height: 118, lines: errors },
  ].filter(panel => panel.lines.length);

  const root = document.createElement('div');
  root.className = 'live';
  root.tabIndex = 0;
  root.setAttribute('role', 'group');
  root.setAttribute('aria-label', 'Charts over time that can be zoomed: arrow keys move the cursor, plus and minus zoom, Escape shows everything');
  const readout = document.createElement('p');
  readout.className = 'readout';
  const whole = document.createElement('button');
  whole.type = 'button';
  whole.textContent = 'Show everything';
  whole.hidden = true;
  const said = readout.appendChild(document.createElement('span'));
  readout.append(whole);
  const HINT = 'Drag to zoom, double-click to see everything again, point at a moment to read its values.';

  let plots = [];
  let shown = [0, data.end_s];
  let busy = false;

  function zoom(min, max) {
    const least = Math.min(data.width_s * 4, data.end_s);
    if (max - min < least) [min, max] = [(min + max - least) / 2, (min + max + least) / 2];
    shown = [Math.max(min, 0), Math.min(max, data.end_s)];
    busy = true;
    for (const plot of plots) plot.setScale('x', { min: shown[0], max: shown[1] });
    busy = false;
    whole.hidden = shown[0] <= 0 && shown[1] >= data.end_s;
    markLanes('zoomed', shown[0], shown[1], whole.hidden);
  }

  function tell(at) {
    said.textContent = '';
    if (at == null) {
      said.textContent = HINT;
      return;
    }
    const moment = document.createElement('b');
    moment.textContent = clock(times[at], data.end_s);
    said.append(moment);
    for (const line of PANELS.flatMap(panel => (panel.lines === errors ? [...panel.lines].reverse() : panel.lines))) {
      const value = document.createElement('span');
      const key = value.appendChild(document.createElement('i'));
      key.style.background = variable(line.colour);
      value.append(`${line.name} ${line.say((line.own ?? line.values)[at])}`);
      said.append(value);
    }
  }

  // The lanes above stay as they are drawn: they show which part of the run is zoomed into, and where the cursor is.
  function markLanes(kind, from, to, hidden) {
    for (const [size, width, left, right] of data.frames) {
      for (const lanes of figure.querySelectorAll(`:scope > svg.${size}`)) {
        const space = 'http://www.w3.org/2000/svg';
        let mark = lanes.querySelector(`.${kind}`);
        if (!mark) {
          mark = document.createElementNS(space, 'rect');
          mark.setAttribute('class', kind);
          mark.setAttribute('y', 0);
          mark.setAttribute('height', lanes.viewBox.baseVal.height);
          lanes.append(mark);
        }
        const x = at => left + (right - left) * at / data.end_s;
        mark.setAttribute('x', x(from));
        mark.setAttribute('width', Math.max(x(to) - x(from), 1));
        mark.setAttribute('visibility', hidden ? 'hidden' : 'visible');
      }
    }
  }

  // Of a logarithmic axis only the powers of ten.
  const power = value => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;

  function axes(panel, left) {
    const decades = (_, splits) => splits.map(value => (panel.log && !power(value) ? null : value));
    const text = { stroke: variable('--muted'), font: `12px ${getComputedStyle(document.body).fontFamily}` };
    const grid = { stroke: variable('--faint'), width: 1 };
    return [
      { ...text, grid, size: panel.last ? 34 : 6, ticks: { show: panel.last, stroke: variable('--muted'), size: 4 },
        values: (_, ticks) => ticks.map(at => (panel.last ? clock(at, data.end_s) : '')) },
      { ...text, grid: { stroke: variable('--rule'), width: 1, filter: decades }, size: left, gap: 6, ticks: { show: false },
        filter: decades,
        values: (_, ticks) => ticks.map(at => (at == null ? '' : panel.log ? span(at) : grouped(at))) },
    ];
  }

  function options(panel, width, left, right) {
    const highest = Math.max(...panel.lines.flatMap(line => line.values.map(value => value ?? 0)));
    const y = panel.log ? { distr: 3, log: 10, range: data.range_ms } : { range: [0, highest * 1.05 || 1] };
    return {
      width, height: panel.height + (panel.last ? 28 : 0), padding: [panel.last || !panel.log ? 20 : 8, right, 0, 0], legend: { show: false },
      scales: { x: { time: false, range: () => shown }, y },
      axes: axes(panel, left),
      series: [{}, ...panel.lines.map(line => ({
        label: line.name, stroke: variable(line.colour), width: line.area ? 0 : line.width, dash: line.dash, spanGaps: false,
        fill: line.area ? variable(line.colour) : undefined, points: { show: false },
        paths: line.area ? uPlot.paths.bars({ size: [1], gap: 0 }) : undefined,
      }))],
      cursor: {
        y: false, sync: { key: 'brunt', setSeries: false }, points: { size: 7 },
        drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => zoom(0, data.end_s) },
      },
      hooks: {
        drawClear: [drawBehind],
        draw: panel.log ? [drawLimits] : [],
        setSelect: [u => {
          if (busy || u.select.width < 4) return;
          const ends = [u.select.left, u.select.left + u.select.width].map(at => u.posToVal(at, 'x'));
          for (const plot of plots) plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          zoom(...ends);
        }],
        setCursor: [u => {
          tell(u.cursor.idx);
          markLanes('pointed', times[u.cursor.idx] ?? 0, times[u.cursor.idx] ?? 0, u.cursor.idx == null);
        }],
      },
    };
  }

  function build() {
    for (const plot of plots) plot.destroy();
    root.querySelectorAll('.panel').forEach(panel => panel.remove());
    const lanes = [...figure.querySelectorAll(':scope > svg')].find(svg => svg.getClientRects().length);
    if (!lanes) return;
    const [size, natural, left, right] = data.frames.find(([word]) => lanes.classList.contains(word));
    const width = lanes.getBoundingClientRect().width;
    const scale = width / natural;
    PANELS.forEach((panel, at) => { panel.last = at === PANELS.length - 1; });
    plots = PANELS.map(panel => {
      const place = root.appendChild(document.createElement('div'));
      place.className = `panel ${size}`;
      if (size !== 'narrow') place.style.setProperty('--gutter', `${left * scale - 60}px`);
      const name = place.appendChild(document.createElement('p'));
      name.append(Object.assign(document.createElement('b'), { textContent: panel.title }), ...panel.unit.map(line => Object.assign(document.createElement('span'), { textContent: line })));
      const keys = place.appendChild(document.createElement('ul'));
      keys.style.left = `${(right + 5) * scale}px`;
      for (const line of panel.lines === rates || panel.lines === errors ? panel.lines : [...panel.lines].reverse()) {
        const key = keys.appendChild(document.createElement('li'));
        const mark = key.appendChild(document.createElement('i'));
        mark.style.borderTop = `${line.area ? 8 : Math.max(line.width, 1.5)}px ${line.dash?.length ? 'dotted' : 'solid'} ${variable(line.colour)}`;
        // A long name breaks behind its dot: `connect.` `refused`.
        for (const part of line.name.split(/(?<=\.)/)) key.append(part, document.createElement('wbr'));
        key.title = line.name;
      }
      return new uPlot(options(panel, width, left * scale, (natural - right) * scale), [times, ...panel.lines.map(line => line.values)], place);
    });
    zoom(...shown);
    tell(null);
  }

  function press(event) {
    const middle = (shown[0] + shown[1]) / 2;
    const half = (shown[1] - shown[0]) / 2;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === '+') zoom(middle - half / 2, middle + half / 2);
    else if (event.key === '-') zoom(middle - half * 2, middle + half * 2);
    else if (event.key === 'Escape') zoom(0, data.end_s);
    else if (step) {
      const at = Math.min(Math.max((plots[0].cursor.idx ?? times.findIndex(time => time >= middle)) + step, 0), times.length - 1);
      if (times[at] < shown[0]) zoom(times[at], times[at] + 2 * half);
      if (times[at] > shown[1]) zoom(times[at] - 2 * half, times[at]);
      for (const plot of plots) plot.setCursor({ left: plot.valToPos(times[at], 'x'), top: 10 }, plot === plots[0]);
    } else return;
    event.preventDefault();
  }

  figure.prepend(readout);
  figure.querySelector('.series').before(root);
  figure.classList.add('is-live');
  try {
    build();
  } catch (error) {
    figure.classList.remove('is-live');
    root.remove();
    readout.remove();
    throw error;
  }
  whole.addEventListener('click', () => zoom(0, data.end_s));
  root.addEventListener('keydown', press);
  let width = innerWidth;
  addEventListener('resize', () => {
    if (innerWidth !== width) requestAnimationFrame(build);
    width = innerWidth;
  });
  addEventListener('hashchange', () => plots.forEach(plot => plot.redraw(false)));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', build);
})();
