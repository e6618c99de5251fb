// What the walks through the portal share: a headless Chromium that reaches nothing but this machine, and a look at each page.
// walk(async k => {...}) runs one of them: k.job is the first argument, read as JSON, with "shots" = a folder for pictures or "". It prints one JSON line
// {"ok":BOOL,"why":TEXT,"pages":[...]} and ends with exit 0 or 1. k.look(NAME) holds the page in light and dark at 360 and 1280 px against axe-core, the width of the
// screen and the content security policy.
import { createRequire } from 'module';
import fs from 'fs';
import os from 'os';
import path from 'path';

const require = createRequire(process.env.LAB_STATE + '/node/package.json');
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--no-proxy-server', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'];

export async function walk(steps) {
  const job = JSON.parse(process.argv[2]), faults = [], pages = [], folders = [];
  let status = 0, page, browser;
  const open = async (options = {}) => { // a fresh browser, and the page that all helpers mean from now on
    if (browser) await browser.close();
    folders.push(fs.mkdtempSync(path.join(os.tmpdir(), 'browser-')));
    browser = await chromium.launchPersistentContext(folders.at(-1), { executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args, viewport: { width: 1280, height: 800 }, ...options });
    page = await browser.newPage();
    page.setDefaultTimeout(10_000);
    page.on('response', r => { if (r.request().isNavigationRequest() && r.frame() === page.mainFrame()) status = r.status(); });
    page.on('console', m => { if (/Content Security Policy/.test(m.text())) faults.push(`${page.url()}: ${m.text().slice(0, 200)}`); });
    return page;
  };
  const text = async () => (await page.locator('body').innerText()).replace(/\s+/g, ' ');
  const fail = async what => { throw new Error(`${what}; status ${status}, page ${page.url().slice(0, 120)} says: ${(await text()).slice(0, 300)}`); };
  const until = async (what, ok, seconds = 10) => {
    for (let i = 0; i < seconds * 10; i++) { try { if (await ok()) return; } catch { /* a navigation is under way */ } await page.waitForTimeout(100); }
    await fail(`waited for ${what}`);
  };
  const says = t => until(JSON.stringify(t), async () => (await text()).includes(t));
  const button = name => page.getByRole('button', { name, exact: true });
  const look = async name => {
    pages.push(name);
    for (const colorScheme of ['light', 'dark']) for (const width of [360, 1280]) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height: 800 });
      const where = `${name}, ${colorScheme}, ${width} px`;
      await page.evaluate(axe);
      const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      for (const v of found.violations) if (['serious', 'critical'].includes(v.impact)) faults.push(`${where}: ${v.id}, ${v.help}: ${v.nodes.map(n => n.target).join(' ').slice(0, 200)}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) faults.push(`${where}: sticks out by ${wide} px`);
      const tall = await page.evaluate(() => Math.max(0, ...[...document.querySelectorAll('tr')].map(r => r.offsetHeight)));
      if (tall > 400) faults.push(`${where}: a row of a table is ${tall} px high: a column is too narrow to be read`);
      if (job.shots) await page.screenshot({ path: path.join(job.shots, `${name}-${colorScheme}-${width}.png`), fullPage: true });
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1280, height: 800 });
  };
  const form = () => until('the sign-in form', async () => await page.locator('input[name=UserName]').count() === 1);
  const fill = async (user, password) => {
    await form();
    await page.locator('input[name=UserName]').fill(user);
    await page.locator('input[name=Password]').fill(password);
    await page.locator('input[name=Password]').press('Enter');
  };
  const arrived = () => until('the portal', async () => page.url().startsWith(job.portal + '/') && !page.url().includes('/saml/acs'));
  let why = '';
  try {
    await open();
    await steps({ job, open, text, fail, until, says, button, look, form, fill, arrived, page: () => page, browser: () => browser, status: () => status });
    if (faults.length > 0) why = faults.join('\n');
  } catch (e) { why = [String(e.message || e).split('\n')[0], ...faults].join('\n'); }
  console.log(JSON.stringify({ ok: why === '', why, pages }));
  await browser?.close();
  for (const f of folders) fs.rmSync(f, { recursive: true, force: true });
  process.exit(why === '' ? 0 : 1);
}
