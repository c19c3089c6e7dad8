// @ts-check
import { send } from './client.js';

const form = document.querySelector('form');
form?.addEventListener('submit', (event) => {
  event.preventDefault();
  const text = new FormData(form).get('text');
  if (send(String(text))) form.reset(); // Else keep what could not be sent.
});
