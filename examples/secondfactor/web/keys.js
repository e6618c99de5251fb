// Asks the browser for a security key: each form with data-key has the options of navigator.credentials in data-options.
"use strict";
(() => {
  const bytes = s => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
  const text = b => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const ids = list => (list || []).map(d => ({ ...d, id: bytes(d.id) }));

  async function ask(kind, o) {
    o.challenge = bytes(o.challenge);
    if (kind === "create") {
      o.user.id = bytes(o.user.id);
      o.excludeCredentials = ids(o.excludeCredentials);
      const c = await navigator.credentials.create({ publicKey: o });
      return { c, response: { attestationObject: text(c.response.attestationObject), transports: c.response.getTransports ? c.response.getTransports() : [] } };
    }
    o.allowCredentials = ids(o.allowCredentials);
    const c = await navigator.credentials.get({ publicKey: o });
    const handle = c.response.userHandle;
    return { c, response: { authenticatorData: text(c.response.authenticatorData), signature: text(c.response.signature), userHandle: handle ? text(handle) : undefined } };
  }

  for (const form of document.querySelectorAll("form[data-key]")) {
    const button = form.querySelector("button"), error = form.querySelector("[data-key-error]");
    if (!window.PublicKeyCredential) {
      error.textContent = "This browser does not know security keys.";
      continue;
    }
    button.hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      error.textContent = "";
      try {
        const { c, response } = await ask(form.dataset.key, JSON.parse(form.dataset.options));
        response.clientDataJSON = text(c.response.clientDataJSON);
        form.elements.credential.value = JSON.stringify({ id: c.id, rawId: text(c.rawId), type: c.type, clientExtensionResults: c.getClientExtensionResults(), response });
        form.submit();
      } catch {
        error.textContent = "The key was not used. Try again, or choose another way.";
        button.disabled = false;
      }
    });
  }
})();
