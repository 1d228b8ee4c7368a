// Passkeys: asks the browser for what a form needs, puts it into the form's hidden field and sends the form.
(() => {
  const toBytes = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (sign) => sign.charCodeAt(0));
  };
  const toText = (buffer) => {
    if (!buffer) return undefined;
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };
  const known = (list) => (list || []).map((each) => ({ ...each, id: toBytes(each.id) }));

  const create = async ({ publicKey }) => {
    const made = await navigator.credentials.create({ publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      user: { ...publicKey.user, id: toBytes(publicKey.user.id) },
      excludeCredentials: known(publicKey.excludeCredentials),
    } });
    const { clientDataJSON, attestationObject } = made.response;
    return described(made, { clientDataJSON: toText(clientDataJSON), attestationObject: toText(attestationObject) });
  };
  const get = async ({ publicKey }) => {
    const shown = await navigator.credentials.get({ publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      allowCredentials: known(publicKey.allowCredentials),
    } });
    const { clientDataJSON, authenticatorData, signature, userHandle } = shown.response;
    return described(shown, {
      clientDataJSON: toText(clientDataJSON),
      authenticatorData: toText(authenticatorData),
      signature: toText(signature),
      userHandle: toText(userHandle),
    });
  };
  const described = (credential, response) => ({
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  });

  const options = async (form) => {
    const given = document.getElementById("passkey-options");
    if (given) return JSON.parse(given.textContent);
    const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error("The server did not answer.");
    return (await answer.json()).request_options;
  };
  const say = (form, text) => {
    const place = form.querySelector("[data-passkey-says]");
    place.textContent = text;
    place.hidden = false;
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const form of document.querySelectorAll("form[data-passkey]")) {
      const possible = Boolean(window.PublicKeyCredential);
      form.hidden = false;
      if (!possible) {
        form.querySelector("button").disabled = true;
        say(form, "This browser cannot use passkeys here. They need https, or the address localhost.");
      }
      form.addEventListener("submit", async (event) => {
        const field = form.elements.credential;
        if (field.value) return;
        event.preventDefault();
        try {
          const asked = await options(form);
          field.value = JSON.stringify(await (form.dataset.passkey === "create" ? create(asked) : get(asked)));
          form.submit();
        } catch (error) {
          say(form, error.name === "NotAllowedError" ? "No passkey was shown. Try again, or choose another way." : error.message);
        }
      });
    }
  });
})();
