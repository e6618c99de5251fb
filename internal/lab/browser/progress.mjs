// An administrator watches a synchronisation that takes long.   LAB_STATE=... node progress.mjs '{"portal":URL,"control":URL,"user":U,"password":P,"scripts":BOOL,"shots":DIR}'
// "control" answers /hold and /go: between the two the directory keeps the synchronisation waiting. Without "scripts" the page has to reload itself.
import { walk } from './kit.mjs';

await walk(async k => {
const { job, until, says, button, look, fail, fill } = k;
const page = await k.open({ javaScriptEnabled: job.scripts });
let loads = 0;
page.on('response', r => { if (r.request().isNavigationRequest() && new URL(r.url()).pathname === '/admin') loads++; });
await page.goto(job.portal + '/admin');
await fill(job.user, job.password);
if (!job.scripts) await button('Continue').click(); // the form that carries the assertion cannot send itself
await says('Synchronise now');
await fetch(job.control + '/hold');
await button('Synchronise now').click();
const bar = async () => await page.locator('progress').count() === 1;
await until('a progress bar', bar, 30); // the button's own patience has ended, the run goes on
if (job.scripts) {
  await look('admin-progress');
  const before = loads, detail = await page.locator('#sync-detail').innerText();
  await until('new figures', async () => await page.locator('#sync-detail').innerText() !== detail, 30);
  if (loads !== before) await fail('the page was loaded anew although scripts are on');
} else {
  const before = loads;
  await until('a page that was loaded anew', async () => loads > before, 30);
  await until('the progress bar again', bar);
}
await fetch(job.control + '/go');
await until('the end of the run', async () => await page.locator('progress').count() === 0, 30);
await says('unchanged');
});
