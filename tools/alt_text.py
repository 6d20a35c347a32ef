"""Gives every picture of a page words for those who do not see it, and takes the stored pictures out of the notebook into files.

An author's own words win: `#| fig-alt: ...` (one text or a list) or a line `# alt: ...` for each picture of the cell. Without them the words are
the caption, or the heading above the picture, the titles that the cell writes over it, and the sentence of prose before it."""
import ast
import base64
import html
import io
import re
import yaml
from PIL import Image

EXTENSIONS = {'image/png': 'png', 'image/jpeg': 'jpg', 'image/gif': 'gif', 'image/svg+xml': 'svg'}
BEFORE_PICTURES = 'text/html', # what smalldocs shows in place of a picture, where an output has both
OPTION = re.compile(r'^#\|\s*([\w-]+):\s*(.*)\n?', re.M)
ALT_LINE = re.compile(r'^#\s*alt:\s*(.*)\n?', re.M)
NO_PROSE = re.compile(r'^\s*(\||#|>|<|:::|!\[|\$\$|```|---)')
IMG = re.compile(r'<img\b[^>]*>')
HAS_ALT = re.compile(r'\balt\s*=\s*("[^"]*[^"\s][^"]*"|\'[^\']*[^\'\s][^\']*\')')
BARE_PICTURE = re.compile(r'!\[\s*\](?=\()')
MAX_LENGTH = 250


def plain(markdown):
    "Markdown as plain words."
    text = re.sub(r'!?\[([^\]]*)\]\([^)]*\)', r'\1', re.sub(r'<[^>]+>', '', markdown))
    return ' '.join(re.sub(r'[*`$\\]|(?<!\w)_|_(?!\w)', '', text).split())


def last_sentence(markdown):
    "The last sentence of prose in a Markdown cell; empty where it holds none."
    text = re.sub(r'(```|\$\$).*?\1', '', markdown, flags=re.S)
    paragraphs = [p for p in re.split(r'\n\s*\n', text) if p.strip() and not NO_PROSE.match(p)]
    if not paragraphs: return ''
    lines = [line for line in paragraphs[-1].splitlines() if not NO_PROSE.match(line)]
    return re.split(r'(?<=[.?!])\s+(?=[A-Z0-9"\'(])', plain(re.sub(r'^\s*(?:[-*+]|\d+\.)\s+', '', ' '.join(lines))))[-1].rstrip(':').strip()


def last_heading(markdown):
    "The last heading of a Markdown cell, or None."
    found = re.findall(r'^#{1,6}\s+(.*?)(?:\s*\{[^}]*\})?\s*$', re.sub(r'```.*?```', '', markdown, flags=re.S), re.M)
    return plain(found[-1]) if found else None


def strings(node):
    "The constant texts of an expression that is a text or a list of texts."
    nodes = node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]
    return [n.value for n in nodes] if nodes and all(isinstance(n, ast.Constant) and isinstance(n.value, str) for n in nodes) else []


def titles(code):
    "The titles that a cell writes over its pictures, as far as they stand in its code."
    try: calls = [n for n in ast.walk(ast.parse(re.sub(r'^[%!].*', '', code, flags=re.M))) if isinstance(n, ast.Call)]
    except SyntaxError: return []
    found = []
    for call in sorted(calls, key=lambda n: (n.lineno, n.col_offset)):
        name = getattr(call.func, 'attr', getattr(call.func, 'id', ''))
        first = call.args[:1] if name in ('set_title', 'suptitle') or (name == 'title' and isinstance(call.func, ast.Attribute)) else \
                call.args[1:2] if name == 'show_images' else []
        for value in [*first, *(k.value for k in call.keywords if k.arg in ('title', 'titles', 'suptitle'))]: found += strings(value)
    return list(dict.fromkeys(t for t in map(plain, found) if t))


def described(heading, sentence, code='', number=0, of=1):
    "Words for a picture from what stands around it."
    shown = titles(code)
    panels = f'Panels: {"; ".join(shown)}' if len(shown) > 1 else ''.join(shown)
    around = ' '.join(part if part[-1] in '.?!' else part + '.' for part in (heading, panels, sentence) if part)
    count = f' Picture {number + 1} of {of}.' if of > 1 else ''
    if len(around) > MAX_LENGTH: around = around[:MAX_LENGTH].rsplit(' ', 1)[0].rstrip(',;:.') + ' ...'
    return around + count


def own_words(source):
    "What a cell's author wrote for its pictures, and its caption: a list of texts (or one for all), and a text or None."
    options = {}
    for key, value in OPTION.findall(source):
        try: options[key] = yaml.safe_load(value)
        except yaml.YAMLError: options[key] = value
    alt = options.get('fig-alt') or ALT_LINE.findall(source) or options.get('fig-cap') or []
    caption = options.get('fig-cap')
    return alt if isinstance(alt, list) else [alt], caption if isinstance(caption, str) else None


def picture(output):
    "The type and the bytes of a stored picture; None where the output is none."
    data = output.get('data', {})
    kind = next((k for k in EXTENSIONS if k in data), None)
    if kind is None or any(k in data for k in BEFORE_PICTURES): return None
    content = data[kind] if isinstance(data[kind], str) else ''.join(data[kind])
    return kind, content.encode() if kind.endswith('xml') else base64.b64decode(content)


def tag(source, kind, content, alt, caption=None):
    "The HTML of a picture with its size, so that the page does not jump while it loads."
    try: width, height = Image.open(io.BytesIO(content)).size if not kind.endswith('xml') else (0, 0)
    except OSError: width = height = 0
    size = f' width="{width}" height="{height}"' if width else ''
    img = f'<img src="{source}" alt="{html.escape(str(alt))}"{size} loading="lazy" class="img-fluid">'
    return f'<figure class="figure">{img}<figcaption>{html.escape(caption)}</figcaption></figure>' if caption else img


def fill(text, alt):
    "HTML or Markdown in which no picture is without words."
    def words(m): return m[0] if HAS_ALT.search(m[0]) else re.sub(r'\balt\s*=\s*("[^"]*"|\'[^\']*\')', '', m[0]).replace('<img', f'<img alt="{html.escape(alt)}"', 1)
    return IMG.sub(words, text)


def describe(nb, stem, write):
    "Takes the pictures out of notebook `nb` (a dict), each with its words; `write(name, content)` keeps a file beside the page."
    heading, sentence, count = '', '', 0
    for cell in nb['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'raw' and (title := re.search(r'^title:\s*(.+)$', source, re.M)): heading = title[1].strip('\'" ')
        if cell['cell_type'] == 'markdown':
            heading, sentence = last_heading(source) or heading, last_sentence(source) or sentence
            text = BARE_PICTURE.sub(lambda m: f'![{described(heading, sentence)}]', source)
            cell['source'] = fill(text, described(heading, sentence))
        if cell['cell_type'] != 'code': continue
        alts, caption = own_words(source)
        cell['source'] = ALT_LINE.sub('', source)
        outputs = cell.get('outputs', [])
        found = [(o, p) for o in outputs if (p := picture(o))]
        for i, (output, (kind, content)) in enumerate(found):
            alt = alts[i] if i < len(alts) else alts[0] if len(alts) == 1 else described(heading, sentence, source, i, len(found))
            count += 1
            name = f'{stem}_files/{count}.{EXTENSIONS[kind]}'
            write(name, content)
            output['data'] = {'text/html': tag(name, kind, content, alt, caption)}
        for output in outputs:
            data = output.get('data', {})
            if '<img' in (shown := ''.join(data.get('text/html', ''))): data['text/html'] = fill(shown, described(heading, sentence, source))
