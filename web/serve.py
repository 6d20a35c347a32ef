"Give out web/dist on this machine, with the two headers that let the page use more than one thread: `python web/serve.py [PORT]`."
import functools
import http.server
import sys
from pathlib import Path

DIST = Path(__file__).parent / 'dist'


class Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm'}
    isolated = True

    def end_headers(self):
        if self.isolated:
            self.send_header('Cross-Origin-Opener-Policy', 'same-origin')
            self.send_header('Cross-Origin-Embedder-Policy', 'require-corp')
        super().end_headers()

    def log_message(self, *args): pass


def server(folder=DIST, port=0, isolated=True):
    "A server on a port of this machine; 0 takes a free one."
    handler = type('Handler', (Handler,), {'isolated': isolated})
    return http.server.ThreadingHTTPServer(('127.0.0.1', port), functools.partial(handler, directory=str(folder)))


if __name__ == '__main__':
    if not (DIST / 'index.html').is_file(): raise SystemExit(f'{DIST} is not built: run `make web` first.')
    with server(port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000) as s:
        print(f'http://127.0.0.1:{s.server_port}', flush=True)
        s.serve_forever()
