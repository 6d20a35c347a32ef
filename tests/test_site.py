"What the site promises: it is built once from a copy of the notebooks, and looked at."
import base64
import fcntl
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path
import pytest
import smalldocs.site
import alt_text
import colab
import links
from build_docs import DOORS, doors, fold_solutions, folders
from clean_notebooks import notebooks

ROOT = Path(__file__).parents[1]
PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
IN_NODE = """
const {Search} = require(process.argv[1]); global.window = {}; require(process.argv[2]);
const search = new Search(window.SITE_INDEX);
console.log(JSON.stringify(JSON.parse(process.argv[3]).map(q => search.find(q))));
"""


def build(top):
    "Builds the site of a copy of the notebooks in the folder `top`. A build that finds broken links leaves its pages, to be looked at."
    top.mkdir()
    shutil.copy(ROOT/'settings.ini', top)
    shutil.copytree(ROOT/'nbs', top/'nbs', ignore=shutil.ignore_patterns('.*'))
    shutil.copytree(ROOT/'pix2pixhd_nb', top/'pix2pixhd_nb', ignore=shutil.ignore_patterns('__pycache__', '*.safetensors'))
    run = subprocess.run([sys.executable, ROOT/'tools/build_docs.py'], cwd=top, capture_output=True, text=True)
    if (top/'_docs').is_dir(): (top/'_docs/build.log').write_text(f'{run.stderr}\n{run.returncode}')
    else: (top/'failed').write_text(run.stdout + run.stderr[-4000:])


@pytest.fixture(scope='session')
def site(tmp_path_factory):
    "The folder of the built site, which the processes of a run share."
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if 'PYTEST_XDIST_WORKER' in os.environ else base
    top = shared/'site'
    with (shared/'site.lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not top.exists(): build(top)
    if (top/'failed').exists(): pytest.fail((top/'failed').read_text())
    return top/'_docs'


@pytest.fixture(scope='session')
def pages(site):
    "The pages of the book; the studio, which `make web` may have built, is a program with tests of its own."
    return {name: page for name, page in links.pages(site).items() if not name.startswith('studio/')}


def text(site, page): return (site/page).read_text(encoding='utf-8')


def found(site, *queries):
    "What the search answers to each query, by the script that readers run."
    if not shutil.which('node'): pytest.skip('no node here to run the search of the site')
    run = subprocess.run(['node', '-e', IN_NODE, str(site/'site_libs/search.js'), str(site/'search_index.js'), json.dumps(queries)], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_every_notebook_has_its_page(site, pages):
    listed = [page for group in folders(ROOT/'nbs/sidebar.yml') for page in group]
    missing = [page for page in listed if re.sub(r'\b\d+[a-z]*_(?=[\w.]+$)', '', page).replace('.ipynb', '.html') not in pages]
    assert listed and not missing


def test_no_link_is_broken(site, pages):
    assert not links.broken_links(site, pages)
    assert text(site, 'build.log').splitlines()[-1] == '0', text(site, 'build.log')


def test_a_broken_link_is_found(tmp_path):
    (tmp_path/'a.html').write_text('<h2 id="here">A</h2><a href="#here">1</a><a href="#gone">2</a><a href="b.html">3</a><a href="../c.html">4</a><a href="https://x.org/#y">5</a>')
    assert [line.split()[1] for line in links.broken_links(tmp_path)] == ['#gone', 'b.html', '../c.html']


def test_every_picture_has_words(pages):
    assert sum(text.count('.png') for page in pages.values() for text in page.links) > 50
    assert not {name: page.bare_pictures for name, page in pages.items() if page.bare_pictures}


def picture_cell(source): return dict(cell_type='code', source=source, outputs=[dict(output_type='display_data', data={'image/png': PIXEL})])


def test_words_of_pictures(tmp_path):
    md = lambda source: dict(cell_type='markdown', source=source)
    nb = dict(cells=[md('# Page\n\n## Boundaries of cars\n\nThis is prose. Three cars in a row:\n\n| a | table |\n| - | - |\n'),
                     picture_cell("show_images(x, ['label map', 'instance map'])"), picture_cell('#| fig-alt: Two cars that touch\nplot()'),
                     picture_cell('# alt: A curve that falls\nplot()'), md('![](a.png) <img src="b.png"> ![kept](c.png)')])
    files = {}
    alt_text.describe(nb, 'page', files.__setitem__)
    alts = [re.search(r'alt="([^"]*)"', cell['outputs'][0]['data']['text/html'])[1] for cell in nb['cells'] if 'outputs' in cell]
    assert alts == ['Boundaries of cars. Panels: label map; instance map. Three cars in a row.', 'Two cars that touch', 'A curve that falls']
    assert list(files) == ['page_files/1.png', 'page_files/2.png', 'page_files/3.png'] and files['page_files/1.png'] == base64.b64decode(PIXEL)
    assert nb['cells'][4]['source'].count('Three cars in a row') == 2 and '![kept](c.png)' in nb['cells'][4]['source']
    assert 'alt:' not in nb['cells'][3]['source']


def test_previous_and_next_stay_in_their_folder(site):
    titled = {}
    for group in folders(ROOT/'nbs/sidebar.yml'):
        names = [re.sub(r'\b\d+[a-z]*_(?=[\w.]+$)', '', page).replace('.ipynb', '.html') for page in group]
        for before, name, after in zip([None, *names], names, [*names[1:], None]):
            nav = re.search(r'<nav class="page-navigation">.*?</nav>', text(site, name), re.S)
            shown = re.findall(r'href="([^"]*)"', nav[0]) if nav else []
            wanted = [other for other in (before, after) if other]
            assert [posixpath.normpath((Path(name).parent/s).as_posix()) for s in shown] == wanted
            titled[name] = shown
    assert sum(len(shown) for shown in titled.values()) > 40


def test_source_is_folded(site, pages):
    whole = ''.join(text(site, name) for name in pages)
    assert whole.count('<details class="code-fold">\n<summary>Source</summary>') > 200
    assert 'Exported source' not in whole


def test_all_names(site, pages):
    from all_names import all_names
    names, page = all_names(ROOT/'pix2pixhd_nb'), text(site, 'names.html')
    assert len(names) > 300
    for n in names: assert f'<code>{n.name}</code></a>' in page, n
    assert re.search(r'<a href="[^"]*#instance_boundaries"><code>instance_boundaries</code></a>1 where', page)
    assert not [n for n in names if any(part.startswith('_') for part in n.name.split('.'))]


@pytest.mark.parametrize('query,title', [('hinge', 'Losses'), ('instance norm', 'Building blocks'), ('colour masks', 'colour masks')])
def test_search_gives_the_right_page_first(site, query, title):
    index = json.loads(text(site, 'search_index.js').removeprefix('window.SITE_INDEX = ').rstrip().rstrip(';'))
    if title.lower() not in ' '.join(page for page, _ in index['pages']).lower(): pytest.skip(f'no page is called {title!r}')
    answers, = found(site, query)
    page = answers[0]['href'].partition('#')[0]
    assert title.lower() in dict((href, name.lower()) for name, href in index['pages'])[page], answers[:3]


def test_search_finds_whole_words_and_names_first(site):
    hinge, name, title, nothing = found(site, 'hinge', 'instance_boundaries', 'instance boundaries', 'qqqq')
    assert not any(word in r['title'] for r in hinge for word in ('Change', 'Exchange', 'Things'))
    for answers in (name, title): assert answers[0].get('name') and answers[0]['title'] == 'instance_boundaries'
    assert not nothing
    assert 'fuse' not in text(site, 'index.html') and not (site/'search.json').exists()


def test_doors_are_three_paragraphs():
    three = 'Before.\n\n**Learn.** The [book](book/01.ipynb)\nas a story.\n\n**Use.** Your data.\n\n**Play.** The studio.\n\nAfter.'
    made = doors(three)
    assert made.count('::: {.door}') == 3 and '### Learn {.unlisted}\n\nThe [book](book/01.ipynb)\nas a story.\n:::' in made
    assert made.startswith('Before.') and made.endswith('After.') and '**' not in made
    assert doors(other := three.replace('Play', 'Other')) == other


def test_landing_page_has_three_doors(site):
    titles = re.findall(r'<div class="door">\s*<h3[^>]*>([^<]*)</h3>', text(site, 'index.html'))
    assert tuple(titles) == DOORS, f'nbs/index.ipynb needs three paragraphs, one after the other, that open with {", ".join(f"**{d}.**" for d in DOORS)}.'
    main = text(site, 'index.html').partition('<main')[2]
    assert 0 < main.index('class="door"') < [m.start() for m in re.finditer('<h2', main)][1], 'the doors stand under the second heading or lower'


def test_page_leads_to_repository_and_colab(site, pages):
    for name in pages:
        page = text(site, name)
        assert page.count('href="https://github.com/pix2pixhd-nb/pix2pixhd_nb"') == 1
        if name != 'names.html': assert page.count('href="https://colab.research.google.com/github/pix2pixhd-nb/pix2pixhd_nb/blob/') == 1


def test_pages_ask_nothing_of_other_machines(site):
    own = [path for path in site.rglob('*') if path.suffix in ('.html', '.css')]
    asked = [m for path in own for m in re.findall(r'(?:<(?:script|img)\b[^>]*\bsrc="|<link rel="stylesheet"[^>]*href="|@import url\(|url\()(https?:[^")]*)', path.read_text(encoding='utf-8'))]
    if shutil.which('npm'): assert not set(asked)
    else: assert all('katex' in a for a in asked)


def test_every_notebook_has_a_copy_for_colab(tmp_path):
    copies = colab.write_copies(tmp_path)
    assert {c.relative_to(tmp_path).as_posix() for c in copies} >= {page for group in folders(ROOT/'nbs/sidebar.yml') for page in group}
    for copy in copies:
        nb, original = (json.loads(p.read_text(encoding='utf-8')) for p in (copy, ROOT/'nbs'/copy.relative_to(tmp_path)))
        first, *rest = nb['cells']
        installs = ''.join(first['source']).splitlines()[1]
        assert installs.startswith('%pip install -q "https://') and f'/{colab.wheel_name()}"' in installs
        assert [c['source'] for c in rest if c['cell_type'] == 'code'] == [c['source'] for c in original['cells'] if c['cell_type'] == 'code']
        prose = ''.join(''.join(c['source']) for c in rest if c['cell_type'] == 'markdown')
        assert not [m[2] for m in colab.LINK.finditer(prose)], 'a link that leads nowhere from Colab'


def test_copy_installs_what_its_page_imports():
    cell = lambda source: dict(cells=[dict(cell_type='code', source=source)])
    assert colab.extra_requirements(cell('import torch')) == []
    assert [r for r in colab.extra_requirements(cell('%time 1\nimport scipy.stats')) if r.startswith('scipy')]
    assert [r for r in colab.extra_requirements(cell('import anywidget')) if r.startswith('anywidget')]
    for page in ('from pix2pixhd_nb.apps.studio import SceneStudio', 'from pix2pixhd_nb.apps import SceneStudio'):
        assert [r for r in colab.extra_requirements(cell(page)) if r.startswith('anywidget')], page
    assert 'enable_custom_widget_manager' in colab.install_cell(cell('import anywidget'))
    assert colab.address('book/03_a.ipynb', '../apps/02_b.ipynb#c').endswith('/pix2pixhd_nb/apps/b.html#c')
    assert colab.address('book/03_a.ipynb', 'images/x.png') == 'https://raw.githubusercontent.com/pix2pixhd-nb/pix2pixhd_nb/main/nbs/book/images/x.png'


SOLUTION = """## Exercises

1. Do it.

<details>
<summary>Solution</summary>

It is *done*.

</details>

<details><summary>Another solution</summary>"""


def test_solutions_are_folded(tmp_path):
    (tmp_path/'_quarto.yml').write_text('project: {type: website}\n')
    nb = dict(nbformat=4, nbformat_minor=5, metadata={}, cells=[dict(cell_type='markdown', source=SOLUTION, metadata={}),
              dict(cell_type='code', source='answer = 42', outputs=[], metadata={}), dict(cell_type='markdown', source='</details>\n\nAfter.', metadata={})])
    (tmp_path/'index.ipynb').write_text(json.dumps(nb))
    page = text(smalldocs.site.build(tmp_path, quiet=True).out, 'index.html')
    first, second = re.findall(r'<details>.*?</details>', page, re.S)
    assert 'It is <em>done</em>' in first and 'answer' in second and 'After' not in second


def test_solutions_fold_with_what_they_show(tmp_path):
    (tmp_path/'_quarto.yml').write_text('project: {type: website}\n')
    solved = dict(cell_type='code', source='#| code-fold: true\n#| code-summary: "Solution of 2"\nprint(6 * 7)', metadata={},
                  outputs=[dict(output_type='stream', name='stdout', text='42\n')])
    nb = dict(nbformat=4, nbformat_minor=5, metadata={}, cells=[solved, dict(cell_type='markdown', source='After.', metadata={})])
    fold_solutions(nb)
    (tmp_path/'index.ipynb').write_text(json.dumps(nb))
    inside, = re.findall(r'<details class="solution">.*?</details>', text(smalldocs.site.build(tmp_path, quiet=True).out, 'index.html'), re.S)
    assert 'Solution of 2' in inside and '42' in inside and 'After' not in inside


def unsolved(cells):
    "The numbers of the exercises of a page that have no solution, be it a cell or an entry of a list under 'Solutions'."
    sources = [''.join(c['source']) for c in cells]
    asked = re.split(r'^#+ Exercises$', '\n'.join(s for c, s in zip(cells, sources) if c['cell_type'] == 'markdown'), flags=re.M)
    if len(asked) == 1: return set()
    exercises, _, told = re.split(r'^(?:\[?Next\b.*|Back .*)$', asked[1], flags=re.M)[0].partition('<summary>Solutions</summary>')
    told = told or asked[1].partition('<summary>Solutions</summary>')[2]
    shown = {n for s in sources for n in re.findall(r'^#\| code-summary: "Solution of (\d+)"', s, re.M)}
    numbers = lambda text: set(re.findall(r'^(\d+)\. ', text, re.M))
    return numbers(exercises) - shown - numbers(told)


@pytest.mark.parametrize('path', notebooks(), ids=lambda path: path.relative_to(ROOT/'nbs').as_posix())
def test_every_exercise_has_a_solution(path):
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    assert not any(re.search(r'^\**Exercises?:?\**:?$', ''.join(c['source']), re.M) for c in cells), 'Exercises is no heading'
    assert not unsolved(cells)


def test_an_exercise_without_a_solution_is_found():
    asked = dict(cell_type='markdown', source='### Exercises\n\n1. How many?\n2. Why?\n\nNext: 3. more')
    one = dict(cell_type='code', source='#| code-fold: true\n#| code-summary: "Solution of 1"\n42')
    other = dict(cell_type='markdown', source='<details><summary>Solutions</summary>\n\n2. Because.\n\n</details>')
    assert (unsolved([asked]), unsolved([asked, one]), unsolved([asked, one, other])) == ({'1', '2'}, {'2'}, set())


@pytest.fixture(params=['light', 'dark', 'phone'])
def opened(request, browser, site):
    "A page in a browser, from the folder as it lies there."
    phone = request.param == 'phone'
    context = browser.new_context(viewport=dict(width=390, height=844) if phone else dict(width=1280, height=900), color_scheme='dark' if request.param == 'dark' else 'light')
    yield request.param, context.new_page(), site
    context.close()


def test_in_a_browser(opened):
    mode, page, site = opened
    names = ['index.html', 'names.html', *(p.relative_to(site).as_posix() for p in site.rglob('losses.html'))]
    for name in names:
        page.goto((site/name).as_uri())
        assert page.evaluate('document.documentElement.scrollWidth') <= page.evaluate('innerWidth'), f'{name} is wider than the {mode} screen'
        background, words = (max(map(int, re.findall(r'\d+', page.evaluate(f'getComputedStyle(document.body).{what}'))[:3])) for what in ('backgroundColor', 'color'))
        assert (background < 100 and words > 200) if mode == 'dark' else (background > 200 and words < 100)
        pictures = page.evaluate("[...document.querySelectorAll('main img')].map(i => getComputedStyle(i).backgroundColor)")
        if mode == 'dark': assert all(p == 'rgb(255, 255, 255)' for p in pictures)
    page.fill('.site-search input', 'instance_boundaries')
    page.wait_for_selector('.site-search-result.is-name')
    box = page.locator('.site-search-results').bounding_box()
    assert box['x'] >= 0 and box['x'] + box['width'] <= page.evaluate('innerWidth')
    page.keyboard.press('Enter')
    page.wait_for_url('**#instance_boundaries')
