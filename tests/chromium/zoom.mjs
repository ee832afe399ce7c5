// The charts that zoom, as a person uses them: point, drag, double-click, keys.

export async function pointAndZoom(page) {
  const found = [];
  const live = page.locator('.live');
  if (!await page.locator('#live-data').count()) {
    return await live.count() ? ['charts that zoom without data'] : [];
  }
  const readout = page.locator('.readout');
  const whole = page.getByRole('button', { name: 'Show everything' });
  const over = page.locator('.live .u-over');
  if (await over.count() < 2) return ['the charts over time did not become ones that zoom'];
  if (await page.locator('.series svg').filter({ visible: true }).count()) found.push('the static charts are shown as well');
  await over.first().scrollIntoViewIfNeeded();
  const box = await over.first().boundingBox();
  const at = share => [box.x + box.width * share, box.y + box.height / 2];

  await page.mouse.move(...at(0.5));
  const told = await readout.innerText();
  for (const word of ['p50', 'p99', 'offered', 'completed']) {
    if (!told.includes(word)) found.push(`pointing does not tell ${word}: ${told}`);
  }
  const cursors = await page.evaluate(() => [...document.querySelectorAll('.live .u-cursor-x')].map(line => line.style.transform));
  if (new Set(cursors).size !== 1) found.push(`the cursors are not at one place: ${cursors.join(' ')}`);

  // A run of a few points cannot be zoomed into.
  const points = await page.evaluate(() => JSON.parse(document.getElementById('live-data').textContent).latency[0].length);
  if (points < 8) return found;

  await page.mouse.move(...at(0.3));
  await page.mouse.down();
  await page.mouse.move(...at(0.6), { steps: 4 });
  await page.mouse.up();
  if (!await whole.isVisible()) found.push('dragging does not zoom');
  await page.mouse.dblclick(...at(0.5));
  if (await whole.isVisible()) found.push('a double-click does not show everything again');

  await live.focus();
  await page.keyboard.press('+');
  if (!await whole.isVisible()) found.push('the plus key does not zoom');
  await page.keyboard.press('ArrowRight');
  if (!(await readout.innerText()).includes('p99')) found.push('the arrow keys do not move the cursor');
  await page.keyboard.press('Escape');
  if (await whole.isVisible()) found.push('Escape does not show everything again');
  return found;
}
