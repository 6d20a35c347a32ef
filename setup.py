"Packages the library; every value comes from settings.ini, which nbdev reads too."
import re
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

config = ConfigParser(delimiters=['='])
config.read('settings.ini', encoding='utf-8')
cfg = config['DEFAULT']


def long_description():
    "README.md, with links that also hold where it stands alone, as on PyPI."
    raw = cfg['git_url'].replace('https://github.com', 'https://raw.githubusercontent.com')
    text = Path('README.md').read_text(encoding='utf-8')
    text = re.sub(r'(!\[[^]]*\]\()(?![a-z]+:|#)', rf"\g<1>{raw}/{cfg['branch']}/", text)
    return re.sub(r'(?<!!)(\[[^]]*\]\()(?![a-z]+:|#)', rf"\g<1>{cfg['git_url']}/blob/{cfg['branch']}/", text)

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=long_description(),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    author_email=cfg['author_email'],
    url=cfg['git_url'],
    project_urls={'Documentation': cfg['doc_host'] + cfg['doc_baseurl'], 'Source': cfg['git_url'],
                  'Changelog': f"{cfg['git_url']}/blob/{cfg['branch']}/CHANGELOG.md"},
    license='Apache-2.0',
    keywords=cfg['keywords'],
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Framework :: Jupyter',
        'Intended Audience :: ' + cfg['audience'],
        'Intended Audience :: Education',
        'Intended Audience :: Science/Research',
        'Natural Language :: ' + cfg['language'],
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        *[f'Programming Language :: Python :: 3.{n}' for n in range(10, 14)],
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Processing',
        'Typing :: Typed',
    ],
    packages=find_packages(include=[cfg['lib_path'], cfg['lib_path'] + '.*']),
    package_data={cfg['lib_path']: ['py.typed', 'pretrained/*/*', 'apps/static/*', 'apps/web/*']}, # models that ship; what runs in the browser
    python_requires='>=' + cfg['min_python'],
    install_requires=cfg['requirements'].split(),
    extras_require={'widgets': cfg['widgets_requirements'].split(), **{name: cfg[f'{name}_requirements'].split() for name in ('distributed', 'onnx', 'hub', 'serve', 'tiff', 'trackers')},
                    'dev': [p for name in ('dev', 'widgets', 'onnx', 'hub', 'serve', 'tiff') for p in cfg[f'{name}_requirements'].split()]},
    entry_points={
        'console_scripts': cfg['console_scripts'].split(),
        'nbdev': [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"],
    },
    zip_safe=False,
)
