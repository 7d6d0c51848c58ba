// Part of cr0sync. The pages work without this. It loads what changes again while somebody looks at it, and copies what
// is to be copied.
'use strict';

const main = document.querySelector('main');
const seconds = Number(main.dataset.live || 0);

// Whoever fills in a form, or has chosen text, is not disturbed.
const isBusy = () => {
  const active = document.activeElement;
  const isForm = active && main.contains(active) && active.matches('input, select, textarea, button');
  return document.hidden || isForm || String(document.getSelection()) !== '';
};

const refresh = async () => {
  if (isBusy()) return;
  try {
    const answer = await fetch(location.href, { credentials: 'same-origin', redirect: 'error' });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
    if (!fresh || isBusy()) return;
    // What was told stays until the visitor goes on.
    for (const part of [...main.children].slice(1)) if (part.id !== 'notice') part.remove();
    for (const part of [...fresh.children].slice(1)) if (part.id !== 'notice') main.append(document.adoptNode(part));
  } catch {
    // The next time will do.
  }
};

if (seconds > 0) setInterval(refresh, seconds * 1000);

for (const secret of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) continue;
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(secret.textContent);
    button.textContent = 'Copied';
  });
  secret.after(button);
}
