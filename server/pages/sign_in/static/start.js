// The browser is made as large as the room it will be shown in: on a phone the site then shows its phone's layout.
const BAR = innerWidth > 760 ? 56 : 121;
const set = () => {
  for (const [name, value] of [['width', innerWidth], ['height', innerHeight - BAR]]) document.querySelector(`[name=${name}]`).value = value;
};
addEventListener('resize', set);
set();
