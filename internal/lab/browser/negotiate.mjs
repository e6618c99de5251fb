// One page in headless Chromium that may answer "401 Negotiate" with the tickets of KRB5CCNAME.   LAB_STATE=... node negotiate.mjs URL HOST TEXT
// HOST is the host that may see tickets ("-": none); it is taken for 127.0.0.1. Prints the page and ends with exit 0 when it has TEXT in it.
import { createRequire } from 'module';
import fs from 'fs';
import os from 'os';
import path from 'path';

const { chromium } = createRequire(process.env.LAB_STATE + '/node/package.json')('playwright-core');
const [url, host, text] = process.argv.slice(2);
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--no-proxy-server',
  `--host-resolver-rules=MAP ${new URL(url).hostname} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`, `--auth-server-allowlist=${host === '-' ? 'none.invalid' : host}`];
const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'browser-'));
const browser = await chromium.launchPersistentContext(profile, { executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args });
const page = await browser.newPage();
let body = '';
for (let i = 0; i < 20; i++) { // the first 401 of a fresh process can stay unanswered: the GSS-API library loads late
  await page.goto(url);
  body = await page.locator('body').innerText();
  if (body.includes(text)) break;
  await page.waitForTimeout(200);
}
console.log(body);
await browser.close();
fs.rmSync(profile, { recursive: true, force: true });
process.exit(body.includes(text) ? 0 : 1);
