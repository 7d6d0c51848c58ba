// Part of cr0sync. The pages work without this. It loads what changes again while somebody looks at it, and copies what
// is to be copied.
'use strict';

const main = document.querySelector('main');
let seconds = Number(main.dataset.live || 0);

// Whoever fills in a form, has opened or ticked something, has chosen text or reads further up is not disturbed.
const first = (select) => Math.max(0, [...select.options].findIndex((one) => one.defaultSelected));
const isTouched = (input) => ['checkbox', 'radio'].includes(input.type) ? input.checked !== input.defaultChecked
  : input.tagName === 'SELECT' ? input.selectedIndex !== first(input) : input.value !== input.defaultValue;
const isInUse = () => main.querySelector('details[open]') !== null
  || [...main.querySelectorAll('input, select, textarea')].some(isTouched)
  || [...main.querySelectorAll('.tail')].some((box) => box.scrollTop < -40);
const isBusy = () => {
  const active = document.activeElement;
  // A table that scrolls is reached by the keyboard, and clicked at by those who only read.
  const isUsed = active && active !== main && main.contains(active)
    && active.matches('input, select, textarea, button, a, summary, :focus-visible');
  return document.hidden || isUsed || isInUse() || String(document.getSelection()) !== '';
};

// What is no longer as it is on the machine says so, at the end, where it moves nothing that somebody is about to press.
let loaded = new Date();
const sayStale = (why) => {
  const line = document.getElementById('stale') || document.createElement('p');
  const words = `Not refreshed since ${loaded.toISOString().slice(11, 19)} UTC: ${why}`;
  line.id = 'stale';
  line.setAttribute('role', 'status');
  if (line.textContent !== words) line.textContent = words;
  if (!line.isConnected) main.append(line);
};
const sayBusy = () => {
  if (Date.now() - loaded > 3000 * seconds) sayStale('it waits until nothing on the page is in use.');
};

const refresh = async () => {
  if (isBusy()) return sayBusy();
  try {
    // The header says that nobody did anything, so that this neither keeps anybody logged in nor takes what is told once.
    const answer = await fetch(location.href, { credentials: 'same-origin', redirect: 'error', headers: { 'X-Live': '1' } });
    if (!answer.ok) return sayStale('the server does not answer with the page. Load it again.');
    // Only what is shown: the style and the script around it have nonces of another answer.
    const shown = /<main[^]*<\/main>/.exec(await answer.text());
    const fresh = shown && new DOMParser().parseFromString(shown[0], 'text/html').querySelector('main');
    if (!fresh) return sayStale('the server does not answer with the page. Load it again.');
    if (isBusy()) return sayBusy();
    loaded = new Date();
    // What was told stays until the visitor goes on.
    for (const part of [...main.children].slice(1)) if (part.id !== 'notice') part.remove();
    for (const part of [...fresh.children].slice(1)) if (part.id !== 'notice') main.append(document.adoptNode(part));
    offerCopies();
    turn(Number(fresh.dataset.live || 0));
  } catch {
    sayStale('the server cannot be reached, or you are no longer logged in. Load it again.');
  }
};

let timer = seconds > 0 ? setInterval(refresh, seconds * 1000) : 0;

// While something waits for cron it looks more often; where nothing changes by itself, not at all.
const turn = (next) => {
  if (next === seconds) return;
  clearInterval(timer);
  seconds = next;
  if (seconds > 0) {
    timer = setInterval(refresh, seconds * 1000);
    main.dataset.live = seconds;
  } else {
    delete main.dataset.live;
  }
};

let copies = 0;
const offerCopies = () => {
  for (const text of document.querySelectorAll('[data-copy]:not([data-offered])')) {
    if (!navigator.clipboard) return;
    text.dataset.offered = '';
    // Who hears the page is told what the button copies.
    text.id ||= `copy-${copies += 1}`;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.setAttribute('aria-describedby', text.id);
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = 'Copied';
      } catch {
        document.getSelection().selectAllChildren(text);
        button.textContent = 'It is chosen: copy it by hand';
      }
    });
    text.after(button);
  }
};

offerCopies();
