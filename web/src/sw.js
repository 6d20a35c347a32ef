// Keeps the page for use without a network, and gives the two headers that threads need where a server does not.
const NAME = `pix2pixhd_nb ${VERSION}`

self.addEventListener('install', event => {
  event.waitUntil(caches.open(NAME).then(cache => cache.addAll(['./', ...FILES])).then(() => self.skipWaiting()))
})

self.addEventListener('activate', event => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith('pix2pixhd_nb ') && name !== NAME) await caches.delete(name)
    await self.clients.claim()
  })())
})

function isolated (response) {
  if (response.type === 'opaque' || !response.body) return response
  const headers = new Headers(response.headers)
  headers.set('Cross-Origin-Opener-Policy', 'same-origin')
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp')
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}

async function answer (request) {
  const cache = await caches.open(NAME), kept = await cache.match(request, { ignoreSearch: true })
  if (kept) return isolated(kept)
  const response = await fetch(request)
  if (response.ok) await cache.put(request, response.clone())
  return isolated(response)
}

self.addEventListener('fetch', event => {
  if (event.request.method === 'GET' && new URL(event.request.url).origin === location.origin) event.respondWith(answer(event.request))
})
