"""The page in a real headless Chromium: what it shows, and that nothing is asked of any network."""

import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from mmal.report import write_report

CHROMIUM = shutil.which('chromium')
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason='chromium is not installed')

QUIET = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-default-apps', '--hide-scrollbars']

OWN = re.compile(r'(https?://)?(clients\d*|update|accounts|safebrowsing|optimizationguide-pa)\.google(apis)?\.com\b.*')
"""What Chromium asks for by itself, whatever the page."""


@pytest.fixture
def proxy():
    """Address of a proxy that refuses all, and what it was asked for."""
    asked = []

    class Refuse(BaseHTTPRequestHandler):

        def do_GET(self):
            if not OWN.fullmatch(self.path):
                asked.append(self.path)
            self.send_error(404)

        do_CONNECT = do_POST = do_GET

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'127.0.0.1:{server.server_port}', asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def browse(tmp_path, proxy):
    def go(path, *flags):
        command = [CHROMIUM, *QUIET, f'--user-data-dir={tmp_path}/profile', f'--proxy-server={proxy[0]}',
                   '--proxy-bypass-list=<-loopback>', *flags, path.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    return go


def colours(picture, box):
    """Commonest colour of a part of a screenshot."""
    with Image.open(picture) as image:
        return max(image.convert('RGB').crop(box).getcolors(10**6))[1]


def test_the_content_is_there_and_no_request_leaves(run_dir, data, browse, proxy, tmp_path):
    path = write_report(run_dir([1, 2], [3, 4]), data)
    dom = browse(path, '--dump-dom', '--virtual-time-budget=3000')
    assert proxy[1] == []
    for text in ('Chosen in round 1', 'Earlier rounds', 'pushes most on conv_cls', '&lt;cat&gt;? 88%', 'Settings and'):
        assert text in dom
    leaky = tmp_path / 'leaky.html'
    leaky.write_text('<img src="http://pictures.invalid/x.png">')
    browse(leaky, '--dump-dom', '--virtual-time-budget=3000')
    assert any('pictures.invalid' in url for url in proxy[1]), 'a request would have been seen'


def test_it_is_light_or_dark_as_the_reader_has_it(run_dir, data, browse, tmp_path):
    path = write_report(run_dir([1]), data)
    for scheme, paper in ((1, (255, 255, 255)), (0, (20, 23, 28))):
        picture = tmp_path / f'{scheme}.png'
        browse(path, f'--screenshot={picture}', '--window-size=900,600',
               f'--blink-settings=preferredColorScheme={scheme}')
        assert colours(picture, (0, 0, 900, 300)) == paper


def test_a_narrow_screen_needs_no_sideways_scrolling(run_dir, data, browse, tmp_path):
    """Wide charts and tables scroll inside of their own regions."""
    path = write_report(run_dir([1, 2]), data)
    frame = tmp_path / 'frame.html'
    frame.write_text(f'<iframe id="f" src="{path.as_uri()}" style="width: 360px; height: 600px"></iframe>'
                     '<script>f.onload = () => { const d = f.contentDocument.documentElement;'
                     'document.title = `${d.scrollWidth} of ${d.clientWidth}`; }</script>')
    dom = browse(frame, '--dump-dom', '--virtual-time-budget=3000', '--allow-file-access-from-files')
    title = dom[dom.index('<title>') + 7:dom.index('</title>')]
    wide, _, screen = title.partition(' of ')
    assert 0 < int(wide) <= int(screen)
