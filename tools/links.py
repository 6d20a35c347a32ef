"""Finds the links within the built site that lead nowhere: python tools/links.py [FOLDER]"""
import html
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit


TAG = re.compile(r'<(?!/|span class=)([a-z]\w*)((?:\s+[\w:.-]+(?:\s*=\s*(?:"[^"]*"|\'[^\']*\'|[^\s"\'>]+))?)*)\s*/?>', re.I)
ATTRIBUTE = re.compile(r'([\w:.-]+)\s*=\s*(?:"([^"]*)"|\'([^\']*)\'|([^\s"\'>]+))')


class Page:
    "The ids of a page, what it links to, and its pictures without words."
    def __init__(self, text):
        self.ids, self.links, self.bare_pictures = {''}, [], []
        for name, attributes in TAG.findall(text):
            attrs = {key.lower(): html.unescape(a or b or c) for key, a, b, c in ATTRIBUTE.findall(attributes)}
            self.ids |= {attrs[k] for k in ('id', 'name') if attrs.get(k)}
            self.links += [attrs[k] for k in ('href', 'src') if attrs.get(k)]
            if name.lower() == 'img' and not attrs.get('alt', '').strip(): self.bare_pictures.append(attrs.get('src', '')[:80])


def pages(folder):
    "Each HTML page under `folder`, by its path from there."
    return {path.relative_to(folder).as_posix(): Page(path.read_text(encoding='utf-8')) for path in sorted(Path(folder).rglob('*.html'))}


def broken_links(folder, found=None):
    "What leads nowhere, as 'page: link (why)'."
    folder = Path(folder).resolve()
    found, broken = found or pages(folder), []
    for name, page in found.items():
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc: continue
            target = (folder/name).parent/unquote(parts.path) if parts.path else folder/name
            target = Path(target).resolve()
            if target.is_dir(): target /= 'index.html'
            if not target.is_relative_to(folder): broken.append(f'{name}: {link} (outside the site)')
            elif not target.exists(): broken.append(f'{name}: {link} (no such file)')
            elif target.suffix == '.html' and unquote(parts.fragment) not in found[target.relative_to(folder).as_posix()].ids:
                broken.append(f'{name}: {link} (no such place on the page)')
    return broken


if __name__ == '__main__':
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else '_docs')
    if not folder.is_dir(): sys.exit(f'{folder} is not there: run `make docs` first, or name the folder of the built site.')
    broken = broken_links(folder)
    print('\n'.join(broken) or 'Every link within the site leads somewhere.')
    sys.exit(bool(broken))
