// One sign-in in headless Chromium.   LAB_STATE=... node signin.mjs '{"portal":URL,"idp":URL,"start":"portal|idp|URL","user":U,"password":P,"expect":[TEXT...],"absent":[TEXT...],"console":BOOL,"refused":BOOL}'
// Prints one JSON line {"ok":BOOL,"why":TEXT,"url":URL,"text":TEXT,"trail":[...]} and ends with exit 0 or 1. CHROMIUM names the browser.
import { createRequire } from 'module';
import fs from 'fs';
import os from 'os';
import path from 'path';

const { chromium } = createRequire(process.env.LAB_STATE + '/node/package.json')('playwright-core');
const job = JSON.parse(process.argv[2]);
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--no-proxy-server',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost', // nothing leaves this machine
  ...(job.args || [])];
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'browser-'));
const browser = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args });
const page = await browser.newPage();
// The AWS console stands outside: what matters is that the browser is sent there.
let sentTo = '';
page.on('request', r => {
  const u = new URL(r.url());
  if (r.isNavigationRequest() && u.protocol === 'https:' && u.hostname.endsWith('console.aws.amazon.com')) sentTo = r.url();
});
const trail = [];
let status = 0;
page.on('response', r => {
  trail.push(`${r.status()} ${r.request().method()} ${r.url().slice(0, 160)}`);
  if (r.request().isNavigationRequest() && r.frame() === page.mainFrame()) status = r.status();
});
page.on('console', m => { if (m.type() === 'error') trail.push('console: ' + m.text().slice(0, 200)); });
const text = async () => (await page.locator('body').innerText()).replace(/\s+/g, ' ');
const until = async (what, ok) => {
  for (let i = 0; i < 100; i++) { try { if (await ok()) return; } catch { /* a navigation is under way */ } await page.waitForTimeout(100); }
  throw new Error(`waited for ${what}; status ${status}, page ${page.url()} says: ${(await text()).slice(0, 300)}`);
};

let why = '';
try {
  if (job.start === 'idp') {
    await page.goto(job.idp + '/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=' + encodeURIComponent(job.portal + '/saml/metadata'));
  } else if (job.start === 'portal') {
    await page.goto(job.portal + '/');
    await page.locator('button, input[type=submit], a').filter({ hasText: /sign.?in/i }).first().click();
  } else {
    await page.goto(job.start);
  }
  await until('the sign-in form', async () => await page.locator('input[name=UserName]').count() === 1);
  await page.locator('input[name=UserName]').fill(job.user);
  await page.locator('input[name=Password]').fill(job.password);
  await page.locator('input[name=Password]').press('Enter');
  if (job.refused) {
    await until('the form again', async () => await page.locator('input[name=Password]').count() === 1 && trail.some(t => / POST /.test(t)));
    if (page.url().startsWith(job.portal + '/')) throw new Error('a refused user stands in the portal');
    const body = await text();
    for (const e of job.expect || []) if (!body.includes(e)) throw new Error(`the form does not say ${e}: ${body.slice(0, 300)}`);
  } else {
    await until('the portal', async () => page.url().startsWith(job.portal + '/') && !page.url().includes('/saml/acs'));
    for (const e of job.expect || []) await until(e, async () => (await text()).includes(e));
    const body = await text();
    for (const e of job.absent || []) if (body.includes(e)) throw new Error(`the page says ${e}`);
    if (job.console) {
      await page.locator('a[href*="/start?"]').first().click();
      await until('the AWS console', async () => sentTo !== '');
    }
  }
} catch (e) { why = String(e.message || e).split('\n')[0]; }
let body = '';
try { body = (await text()).slice(0, 600); } catch { /* the page is gone */ }
console.log(JSON.stringify({ ok: why === '', why, url: page.url(), text: body, trail }));
await browser.close();
fs.rmSync(profile, { recursive: true, force: true });
process.exit(why === '' ? 0 : 1);
