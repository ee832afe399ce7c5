// node report.mjs REPORT.html FOLDER: opens a report in headless Chromium from its file, with scripts and without, on a
// desk and on a phone, in light and in dark. Fails on a page error, a console error, a request that leaves the file, a
// section that is missing, text that overflows the phone, or a serious finding of axe. Pictures go to FOLDER.
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = createRequire(join(process.env.BRUNT_TEST_NODE_MODULES, 'x.js'));
const { chromium } = modules('playwright-core');
const axe = modules.resolve('axe-core/axe.min.js');
const [report, pictures] = process.argv.slice(2);

// The headings of all sections, in the order in which a reader meets them.
const SECTIONS = ['Gates', 'Timeline', 'Latency heat-map', 'Latency by percentile', 'Resilience', 'Steps', 'Instances', 'Errors',
  'Measurement health', 'Environment and how to repeat', 'Event log', 'Glossary'];

const VIEWS = [
  { name: 'desk', scripts: true, width: 1280, height: 900, scheme: 'light' },
  { name: 'desk-without-scripts', scripts: false, width: 1280, height: 900, scheme: 'light' },
  { name: 'desk-dark', scripts: true, width: 1280, height: 900, scheme: 'dark' },
  { name: 'phone', scripts: true, width: 390, height: 844, scheme: 'light' },
];

async function look(view) {
  const profile = mkdtempSync(join(tmpdir(), 'brunt-chromium-'));
  const problems = [];
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    offline: true,
    javaScriptEnabled: view.scripts,
    colorScheme: view.scheme,
    viewport: { width: view.width, height: view.height },
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--hide-scrollbars', '--force-color-profile=srgb'],
  });
  try {
    const page = browser.pages()[0] ?? await browser.newPage();
    page.on('pageerror', error => problems.push(`page error: ${error}`));
    page.on('console', message => message.type() === 'error' && problems.push(`console: ${message.text()}`));
    page.on('request', request => {
      if (!/^(file|data|blob):/.test(request.url())) problems.push(`asked for ${request.url()}`);
    });
    await page.goto(pathToFileURL(report).href);
    problems.push(...await missing(page));
    const first = await page.locator('h1').first().textContent();
    if (!first?.trim()) problems.push('no headline');
    if (await page.locator('svg[role="img"]').count() === 0) problems.push('no picture with role="img"');
    await page.screenshot({ path: join(pictures, `report-${view.name}.png`), fullPage: true });
    if (view.scripts) problems.push(...await inspect(page, view));
  } finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  }
  return problems.map(problem => `${view.name}: ${problem}`);
}

async function missing(page) {
  const headings = (await page.locator('h2').allTextContents()).map(heading => heading.trim());
  const same = headings.length === SECTIONS.length && SECTIONS.every((section, at) => section === headings[at]);
  return same ? [] : [`the sections are ${headings.join(', ')}, not ${SECTIONS.join(', ')}`];
}

async function inspect(page, view) {
  const found = [];
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 1) found.push(`the page is ${wide} pixels wider than its window`);
  // The report forbids scripts that are not its own, rightly; axe is put in by the debugger, past that rule.
  const session = await page.context().newCDPSession(page);
  const { readFileSync } = await import('node:fs');
  await session.send('Runtime.evaluate', { expression: readFileSync(axe, 'utf8') });
  const { result } = await session.send('Runtime.evaluate', {
    expression: 'axe.run(document).then(found => JSON.stringify(found.violations.map(v => [v.impact, v.id, v.nodes[0].html])))',
    awaitPromise: true,
    returnByValue: true,
  });
  for (const [impact, id, where] of JSON.parse(result.value)) {
    if (impact === 'serious' || impact === 'critical') found.push(`axe, ${impact}: ${id} at ${where}`);
  }
  return found;
}

const problems = [];
for (const view of VIEWS) problems.push(...await look(view));
console.log(problems.length ? problems.join('\n') : `${VIEWS.length} views, no problem; pictures in ${pictures}`);
process.exit(problems.length ? 1 : 0);
