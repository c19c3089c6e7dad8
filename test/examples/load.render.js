// @ts-check
/** @param {string} message @returns {Node} */
export function render(message) {
  const { used, total } = JSON.parse(message);
  const bar = document.createElement('meter');
  bar.max = total;
  bar.value = used;
  bar.title = `${Math.round((100 * used) / total)} %`;
  return bar;
}
