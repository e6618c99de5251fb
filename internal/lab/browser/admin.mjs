// A walk of an administrator through all pages in headless Chromium.   LAB_STATE=... node admin.mjs '{"portal":URL,"user":U,"password":P,"other":U,"otherPassword":P,"held":BOOL,"shots":DIR}'
// "held": the page must show a held plan; approved, it takes away the group that makes the user an administrator. "other" is a user who is no administrator ("": left out). Pictures go to "shots" ("": none).
import { walk } from './kit.mjs';

await walk(async k => {
const { job, until, says, button, look, form, fill, arrived, fail } = k, page = k.page();

async function signIn(user, password, to) {
  await page.goto(job.portal + to);
  if (to === '/') await page.locator('a', { hasText: 'Sign in' }).first().click();
  await fill(user, password);
  await arrived();
}

async function people() {
  await page.goto(job.portal + '/');
  await look('signed-out');
  await page.locator('a', { hasText: 'Sign in' }).first().click();
  await form();
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
  if (k.status() !== 404) await fail('no 404');
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
  await button('Sign out').click();
  await until('the end of the session', async () => await button('Sign out').count() === 0);
  if (job.other === '') return;
  await signIn(job.other, job.otherPassword, '/');
  await page.goto(job.portal + '/admin');
  if (k.status() !== 403) await fail('no 403');
  await says('This page is for administrators.');
  await look('forbidden');
}

if (job.held) { await signIn(job.user, job.password, '/'); await administration(); } else { await people(); await administration(); await workbench(); await leave(); }
});
