"""Writes the index that the site's search reads (tools/site/search.js): the library's names first, then the sections of every page."""
import json


def index(entries, names):
    "What a reader's browser searches: `pages` [title, address], `sections` [page, heading, place, text], `names` [name, module, address, line]."
    pages, sections = {}, []
    for entry in entries:
        address, _, place = entry['href'].partition('#')
        number = pages.setdefault(address, (len(pages), entry['title']))[0]
        sections.append([number, entry['section'], place, entry['text']])
    return {'pages': [[title, address] for address, (_, title) in pages.items()], 'sections': sections,
            'names': [[n.name, n.module, n.href, n.doc] for n in names]}


def write(site, names):
    "Writes the index of a built site as a script: a page opened from a folder may load that, but not JSON."
    entries = json.loads((site/'search.json').read_text(encoding='utf-8'))
    (site/'search.json').unlink()
    (site/'search_index.js').write_text(f'window.SITE_INDEX = {json.dumps(index(entries, names), ensure_ascii=False)};\n', encoding='utf-8')
