// The end of a session by time, a portal with a -session-life of some seconds.   LAB_STATE=... node expiry.mjs '{"portal":URL,"user":U,"password":P,"shots":DIR}'
import { walk } from './kit.mjs';

await walk(async k => {
  const { job, says, button, look, fill, form, until, arrived } = k, page = k.page();
  const signedIn = async () => await page.locator('#user').count() === 1;
  await page.goto(job.portal + '/admin');
  await fill(job.user, job.password);
  await says('Synchronise now'); // a page that was opened while the session lived
  const again = await k.browser().newPage();
  await again.goto(job.portal + '/');
  if (await again.locator('#user').count() !== 1) throw new Error('the session ended at once');
  await until('the end of the session', async () => { await again.goto(job.portal + '/'); return await again.locator('#user').count() === 0; }, 60);
  await again.close();
  await button('Synchronise now').click(); // the form of the old page does nothing any more, and says so
  await says('Your session has ended. Sign in again.');
  if (k.status() !== 401) await k.fail('no 401');
  await look('session-ended');
  // A page that is asked for leads to the sign-in form, and then to itself. The session of the identity provider may live for a
  // second more: the assertion names its end in whole seconds.
  await until('the sign-in form', async () => { await page.goto(job.portal + '/admin/rules'); return await page.locator('input[name=Password]').count() === 1; }, 60);
  await form();
  await fill(job.user, job.password);
  await arrived();
  await until('the page that was asked for', async () => page.url() === job.portal + '/admin/rules' && await signedIn());
});
