// Icons as strokes on a field of 24 x 24.
const PATHS = {
  select: 'M5 3l6 17 2.5-7L20 10.5z', brush: 'M4 20c4 0 5-2 5-4 M9 16l9-12 2 2-9 11z', fill: 'M5 11l7-7 7 7-7 7zM12 4V2 M20 15c1.5 2 1.5 4 0 4s-1.5-2 0-4', box: 'M4 6h16v12H4z', round: 'M12 5c5 0 8 3 8 7s-3 7-8 7-8-3-8-7 3-7 8-7z',
  stamp: 'M3 16h18M5 16v-4l2-5h9l3 5v4M7 19a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM17 19a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3z', eraser: 'M8 20l-5-5L14 4l6 6-10 10zM8 20h12M9 9l6 6', pick: 'M4 20l1-4 8-8 3 3-8 8zM12 7l3-3c2-2 5 1 3 3l-3 3',
  undo: 'M8 5L4 9l4 4M4 9h9c4 0 6 2 6 5s-2 5-6 5h-3', redo: 'M16 5l4 4-4 4M20 9h-9c-4 0-6 2-6 5s2 5 6 5h3', grid: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z', open: 'M3 19V5h6l2 3h10v11z', photo: 'M3 7h4l2-3h6l2 3h4v13H3zM12 17a4 4 0 1 0 0-8 4 4 0 0 0 0 8z',
  save: 'M12 3v12M7 10l5 5 5-5M4 20h16', help: 'M9 9c0-4 6-4 6 0 0 3-3 3-3 6M12 18.5v.5M12 22a10 10 0 1 0 0-20 10 10 0 0 0 0 20z', plus: 'M12 5v14M5 12h14', minus: 'M5 12h14', copy: 'M8 8h12v12H8zM8 16H4V4h12v4', trash: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13', compare: 'M12 3v18M4 6h5v12H4zM15 6h5v12h-5z', like: 'M5 5h9v9H5zM10 10h9v9h-9z', more: 'M5 12v.1M12 12v.1M19 12v.1', dice: 'M4 4h16v16H4zM8.5 8.5v.1M15.5 8.5v.1M8.5 15.5v.1M15.5 15.5v.1M12 12v.1'
}

export function icon (name) { // of the table, or strokes of its own; a name that is neither is a disc
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('aria-hidden', 'true')
  path.setAttribute('d', PATHS[name] ?? (/^M[\d\s.]/.test(name) ? name : PATHS.round))
  svg.append(path)
  return svg
}

export function addIcons (root = document) {
  for (const e of root.querySelectorAll('[data-icon]')) {
    const text = e.textContent
    e.replaceChildren(icon(e.dataset.icon), ...(text ? [Object.assign(document.createElement('span'), { textContent: text })] : []))
  }
}
