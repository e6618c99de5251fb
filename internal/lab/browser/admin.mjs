// A walk of an administrator through all pages in headless Chromium.   LAB_STATE=... node admin.mjs '{"portal":URL,"user":U,"password":P,"other":U,"otherPassword":P,"held":BOOL,"shots":DIR}'
// Every page is looked at in light and dark at 360 and 1280 px: axe-core may find nothing serious, nothing may stick out sideways, nothing may break the content security policy.
// "held": the page must show a held plan; approved, it takes away the group that makes the user an administrator. "other" is a user who is no administrator ("": left out). Pictures go to "shots" ("": none).
// Prints one JSON line {"ok":BOOL,"why":TEXT,"pages":[...]} and ends with exit 0 or 1.
import { createRequire } from 'module';
import fs from 'fs';
import os from 'os';
import path from 'path';

const require = createRequire(process.env.LAB_STATE + '/node/package.json');
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const job = JSON.parse(process.argv[2]);
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--no-proxy-server', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost']; // nothing leaves this machine
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'browser-'));
const browser = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args, viewport: { width: 1280, height: 800 } });
const page = await browser.newPage();
page.setDefaultTimeout(10_000);
let status = 0;
const faults = [], pages = [];
page.on('response', r => { if (r.request().isNavigationRequest() && r.frame() === page.mainFrame()) status = r.status(); });
page.on('console', m => { if (/Content Security Policy/.test(m.text())) faults.push(`${page.url()}: ${m.text().slice(0, 200)}`); });
const text = async () => (await page.locator('body').innerText()).replace(/\s+/g, ' ');
const fail = async what => { throw new Error(`${what}; status ${status}, page ${page.url()} says: ${(await text()).slice(0, 300)}`); };
const until = async (what, ok) => {
  for (let i = 0; i < 100; i++) { try { if (await ok()) return; } catch { /* a navigation is under way */ } await page.waitForTimeout(100); }
  await fail(`waited for ${what}`);
};
const says = t => until(JSON.stringify(t), async () => (await text()).includes(t));
const button = name => page.getByRole('button', { name, exact: true });

async function look(name) {
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
    if (job.shots) await page.screenshot({ path: path.join(job.shots, `${name}-${colorScheme}-${width}.png`), fullPage: true });
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 800 });
}

async function fill(user, password) {
  await until('the sign-in form', async () => await page.locator('input[name=UserName]').count() === 1);
  await page.locator('input[name=UserName]').fill(user);
  await page.locator('input[name=Password]').fill(password);
  await page.locator('input[name=Password]').press('Enter');
}
async function signIn(user, password, to) {
  await page.goto(job.portal + to);
  if (to === '/') await page.locator('a', { hasText: 'Sign in' }).first().click();
  await fill(user, password);
  await until('the portal', async () => page.url().startsWith(job.portal + '/') && !page.url().includes('/saml/acs'));
}

async function people() {
  await page.goto(job.portal + '/');
  await look('signed-out');
  await page.locator('a', { hasText: 'Sign in' }).first().click();
  await until('the sign-in form', async () => await page.locator('input[name=UserName]').count() === 1);
  await look('sign-in');
  await fill(job.user, 'not-the-password');
  await until('the form again', async () => await page.locator('.message').count() === 1);
  await look('sign-in-refused');
  await fill(job.user, job.password);
  await says('Why do I have this?');
  await page.locator('summary').first().click();
  await look('home-why');
  await page.locator('a', { hasText: 'Command line access' }).first().click();
  await says('AWS_SESSION_TOKEN');
  await look('credentials');
  await page.goto(job.portal + '/no-such-page');
  if (status !== 404) await fail('no 404');
  await look('not-found');
}

async function administration() {
  await page.goto(job.portal + '/admin');
  await says('Synchronisation');
  const state = page.locator('.tag').first();
  if (job.held) {
    if (await state.innerText() !== 'held') await fail('no held plan');
    await says('The directory shows none of the users and groups of the last run.');
    await look('admin-held');
    await button('Approve the held plan').click();
    await says('This page is for administrators.'); // the plan took the administrators' group away, and her access with it
    await page.goto(job.portal + '/');
    await says('nothing is assigned to you yet');
    await look('home-empty');
    return;
  }
  await button('Synchronise now').click();
  await says('Memberships');
  await look('admin');
  await page.locator('#q-user').fill(job.user + '@example.com');
  await page.locator('#q-account').fill('111122223333');
  await page.locator('#q-act').fill('logs:GetLogEvents');
  await button('Explain').click();
  await says('Allow by statement');
  await look('admin-why');
  await page.locator('#q-action').fill('logs:GetLogEvents');
  await button('Ask').click();
  await says('Users and roles that reach the action');
  await look('admin-who');
}

async function workbench() {
  await page.goto(job.portal + '/admin/rules');
  await page.locator('#r-user').fill('CORP\\' + job.user);
  const rules = page.locator('#r-rules');
  await rules.fill((await rules.inputValue()) + '\n=> issue(Type = "urn:example:floor", Value = "third");\n');
  await button('Check and run').click();
  await says('Trace');
  await says('urn:example:floor');
  await look('rules');
  await rules.fill('c:[Type == ] => issue(claim = c);');
  await button('Check and run').click();
  await says('POLICY0030');
  await look('rules-refused');
  await page.goto(job.portal + '/admin/saml');
  await page.locator('#s-message').fill('<x/>');
  await button('Inspect').click();
  await says('not_a_response');
  await look('saml');
}

async function leave() {
  await page.goto(job.portal + '/');
  await button('Sign out').click();
  await until('the end of the session', async () => await button('Sign out').count() === 0);
  await look('signed-out-again');
  await page.goto(job.portal + '/admin');
  await fill(job.user, job.password); // signing out was real: the form asks again, and leads to where the visitor wanted to go
  await says('Synchronise now');
  await browser.clearCookies(); // what the end of a session looks like
  await page.goto(job.portal + '/admin/rules');
  await until('the sign-in form', async () => await page.locator('input[name=UserName]').count() === 1);
  if (job.other === '') return;
  await signIn(job.other, job.otherPassword, '/');
  await page.goto(job.portal + '/admin');
  if (status !== 403) await fail('no 403');
  await says('This page is for administrators.');
  await look('forbidden');
}

let why = '';
try {
  if (job.held) { await signIn(job.user, job.password, '/'); await administration(); } else { await people(); await administration(); await workbench(); await leave(); }
  if (faults.length > 0) why = faults.join('\n');
} catch (e) { why = [String(e.message || e).split('\n')[0], ...faults].join('\n'); }
console.log(JSON.stringify({ ok: why === '', why, pages }));
await browser.close();
fs.rmSync(profile, { recursive: true, force: true });
process.exit(why === '' ? 0 : 1);
