// node report.mjs FOLDER PICTURES: opens every page of FOLDER in headless Chromium from its file, and fails on a page error, a
// console error, a request that leaves the file, a section that is missing, a page wider than its window, text that is cut or
// stands on other text, or a serious finding of axe. The pages that are looked at most closely are opened on a desk, on a tablet
// and on a phone, in light and in dark, with scripts and without, and are printed; the others once on a desk and once on a
// phone. What the tables say goes to FOLDER/<page>.tables.json, for the test that compares it with results.json. Pictures go to
// PICTURES, for a person.
import { createRequire } from 'node:module';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cutTexts, misplacedKeys, misplacedTexts, tables, tooWide } from './checks.mjs';
import { pointAndZoom } from './zoom.mjs';

const modules = createRequire(join(process.env.BRUNT_TEST_NODE_MODULES, 'x.js'));
const { chromium } = modules('playwright-core');
const axe = readFileSync(modules.resolve('axe-core/axe.min.js'), 'utf8');
const [folder, pictures] = process.argv.slice(2);

// The headings of all sections, in the order in which a reader meets them.
const SECTIONS = ['Gates', 'Timeline', 'Latency heat-map', 'Latency by percentile', 'Resilience', 'Steps', 'Instances', 'Errors',
  'Measurement health', 'Environment and how to repeat', 'Event log', 'Glossary'];
const OF_TWO = ['Can they be compared?', 'Gates', 'Faults and recovery', 'Windows', 'Timelines on the same scales'];

const CLOSELY = ['shop'];
// A hundred steps: what axe says of two is true of them too, and takes it a minute here.
const TOO_LARGE_FOR_AXE = ['hour'];
const desk = { width: 1400, height: 900 };
const tablet = { width: 800, height: 1100 };
const phone = { width: 390, height: 844 };
const EVERYWHERE = [desk, tablet, phone].flatMap(size => ['light', 'dark'].flatMap(scheme => [true, false].map(scripts => ({ ...size, scheme, scripts }))));
// Its chart of errors has as many names as there can be, which a phone has hardly room for.
const MANY_NAMES = 'invalid';
const twice = page => [{ ...desk, scheme: 'light', scripts: true }, { ...phone, scheme: 'dark', scripts: page === MANY_NAMES }];

async function look(browser, file, view) {
  const problems = [];
  const context = await browser.newContext({
    offline: true, javaScriptEnabled: view.scripts, colorScheme: view.scheme, viewport: { width: view.width, height: view.height },
  });
  const name = `${basename(file, '.html')}-${view.width}-${view.scheme}${view.scripts ? '' : '-without-scripts'}`;
  try {
    const page = await context.newPage();
    page.on('pageerror', error => problems.push(`page error: ${error}`));
    page.on('console', message => message.type() === 'error' && problems.push(`console: ${message.text()}`));
    page.on('request', request => {
      if (!/^(file|data|blob):/.test(request.url())) problems.push(`asked for ${request.url()}`);
    });
    await page.goto(pathToFileURL(join(folder, file)).href);
    problems.push(...await missing(page, file));
    await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
    const check = run => inside(page, run);
    const large = TOO_LARGE_FOR_AXE.includes(basename(file, '.html'));
    for (const details of large ? [] : await page.locator('details').all()) await details.evaluate(element => { element.open = true; });
    for (const run of [tooWide, cutTexts, misplacedTexts, misplacedKeys]) problems.push(...await check(run));
    // Where scripts are off axe waits for ever; what it would look at is the same as where they are on, but for the charts.
    if (view.scripts && !large) problems.push(...await accessibility(page));
    if (view.scripts && view.width === desk.width) problems.push(...await pointAndZoom(page));
    if (view.scripts && view.width === desk.width && view.scheme === 'light') {
      writeFileSync(join(folder, `${basename(file, '.html')}.tables.json`), JSON.stringify(await check(tables)));
      problems.push(...await print(page, name));
    }
  } finally {
    await context.close();
  }
  return problems.map(problem => `${name}: ${problem}`);
}

// The page forbids scripts that are not its own, rightly; the debugger looks past that rule, and also where scripts are off.
async function inside(page, run) {
  const session = await page.context().newCDPSession(page);
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', { expression: `(${run})()`, returnByValue: true });
  await session.detach();
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

async function missing(page, file) {
  const wanted = basename(file, '.html') === 'compare' ? OF_TWO : SECTIONS;
  const headings = (await page.locator('h2').allTextContents()).map(heading => heading.trim());
  const same = headings.length === wanted.length && wanted.every((section, at) => section === headings[at]);
  const found = same ? [] : [`the sections are ${headings.join(', ')}, not ${wanted.join(', ')}`];
  if (await page.locator('h1').count() !== 1) found.push('not one headline');
  return found;
}

async function accessibility(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: axe });
  const { result } = await session.send('Runtime.evaluate', {
    expression: 'axe.run(document).then(found => JSON.stringify(found.violations.map(v => [v.impact, v.id, v.nodes[0].html.slice(0, 300)])))',
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  const bad = JSON.parse(result.value ?? '[["critical", "axe did not run", ""]]').filter(([impact]) => impact === 'serious' || impact === 'critical');
  return bad.map(([impact, id, where]) => `axe, ${impact}: ${id} at ${where}`);
}

// On paper (A4 without its margins): the static charts instead of those that zoom, nothing wider than the page.
async function print(page, name) {
  await page.emulateMedia({ media: 'print' });
  await page.setViewportSize({ width: 700, height: 1000 });
  const found = [];
  for (const run of [tooWide, cutTexts, misplacedTexts]) found.push(...await inside(page, run));
  if (await page.locator('canvas').filter({ visible: true }).count()) found.push('a chart that zooms is printed');
  if (!await page.locator('svg.chart').filter({ visible: true }).count()) found.push('no chart is printed');
  await page.pdf({ path: join(pictures, `${name}.pdf`), format: 'A4', preferCSSPageSize: true });
  return found.map(problem => `in print: ${problem}`);
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--hide-scrollbars', '--force-color-profile=srgb'],
});
const problems = [];
let looks = 0;
for (const file of readdirSync(folder).filter(file => file.endsWith('.html')).sort()) {
  const page = basename(file, '.html');
  for (const view of CLOSELY.includes(page) ? EVERYWHERE : twice(page)) {
    problems.push(...await look(browser, file, view));
    looks += 1;
  }
}
await browser.close();
console.log(problems.length ? problems.join('\n') : `${looks} views, no problem; pictures in ${pictures}`);
process.exit(problems.length || !looks ? 1 : 0);
