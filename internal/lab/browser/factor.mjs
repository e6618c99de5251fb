// Second factors in headless Chromium, a portal with -second-factor required.   LAB_STATE=... node factor.mjs '{"portal":URL,"user":U,"password":P,"shots":DIR}'
// Sets up an authenticator app, signs in with its codes and with a recovery code, adds a security key (Chromium's virtual authenticator), signs in with it, and tries what must be refused.
import crypto from 'crypto';
import { walk } from './kit.mjs';

const base32 = s => Buffer.from([...s].map(c => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('').match(/.{8}/g).map(b => parseInt(b, 2)));
// the code of a time step: 0 is the present one. Each code works once, and only after all earlier ones: -1, 0 and 1 are three in a row.
function code(secret, shift) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + shift));
  const sum = crypto.createHmac('sha1', base32(secret)).update(counter).digest();
  return String((sum.readUInt32BE(sum[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

await walk(async k => {
  const { job, says, button, look, fill, until, arrived, fail } = k;
  let page = k.page();
  const question = async () => {
    await page.goto(job.portal + '/saml/login');
    await fill(job.user, job.password);
  };
  const leave = async () => {
    await page.goto(job.portal + '/');
    await button('Sign out').click();
    await until('the end of the session', async () => await button('Sign out').count() === 0);
  };
  const type = async text => { await page.locator('#code').fill(text); await page.locator('#code').press('Enter'); };

  // the first sign-in sets a factor up
  await question();
  await says('Set up a second factor');
  await look('factor-setup');
  const secret = (await page.locator('#secret').innerText()).replace(/ /g, '');
  await type('000000');
  await says('The code does not fit.');
  await look('factor-setup-refused');
  await type(code(secret, -1));
  await says('Your recovery codes');
  await look('factor-codes');
  const recovery = await page.locator('ul.codes code').allInnerTexts();
  if (recovery.length !== 10) await fail('no ten recovery codes');
  await button('I have kept them').click();
  await arrived();
  await leave();

  // code: wrong, right, right once more
  await question();
  await says('One more step');
  await look('factor-question');
  await type('000000');
  await says('That was not accepted.');
  await look('factor-question-refused');
  const used = code(secret, 0);
  await type(used);
  await arrived();
  await leave();
  await question();
  await says('One more step');
  await type(used);
  await says('That was not accepted.');
  await page.locator('summary').click();
  await look('factor-question-recovery');
  await page.locator('#recovery').fill(recovery[0]);
  await page.locator('#recovery').press('Enter');
  await arrived();

  // a security key, added after password and code
  const cdp = await k.browser().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport: 'usb', hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
  await page.locator('a', { hasText: 'Second factors' }).first().click();
  await says('Authenticator app');
  await look('security');
  await button('Change').click();
  await fill(job.user, job.password);
  await says('One more step');
  await type(code(secret, 1));
  await says('Your second factors');
  await page.locator('#key-name').fill('Blue key');
  await button('Set up the key').click();
  await until('the key', async () => await page.locator('ul.factors').innerText().then(t => t.includes('Blue key')));
  await look('factor-manage');
  await button('Done').click();
  await arrived();
  await says('Blue key');
  await leave();

  // sign in with the key; without its PIN it is nothing
  await question();
  await says('One more step');
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await button('Use my security key').click();
  await says('The key was not used.');
  await look('factor-question-key');
  await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
  await button('Use my security key').click();
  await arrived();
  await says(job.user);
  await page.goto(job.portal + '/admin/factors?user=' + encodeURIComponent(job.user + '@example.com'));
  await says('Blue key');
  await look('admin-factors');
  const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId });
  if (credentials.length !== 1) await fail('not one credential');
  await leave();

  // a copy of the key, whose counter lags behind
  await cdp.send('WebAuthn.removeCredential', { authenticatorId, credentialId: credentials[0].credentialId });
  await cdp.send('WebAuthn.addCredential', { authenticatorId, credential: { ...credentials[0], signCount: 0 } });
  await question();
  await says('One more step');
  await button('Use my security key').click();
  await says('may have been copied');

  // without scripts: the recovery code, and the button that carries the response
  page = await k.open({ javaScriptEnabled: false });
  await page.goto(job.portal + '/saml/login');
  await fill(job.user, job.password);
  await until('the question', async () => await page.locator('#recovery').count() === 1);
  await page.locator('summary').click();
  await page.locator('#recovery').fill(recovery[1]);
  await page.locator('#recovery').press('Enter');
  await until('the button', async () => await button('Continue').count() === 1);
  await button('Continue').click();
  await arrived();
});
