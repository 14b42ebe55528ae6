"""Our image's own Chrome: what it can draw."""

from __future__ import annotations

import json

import pytest

from tests.containers.engine import Engine

pytestmark = [pytest.mark.containers, pytest.mark.timeout(300)]

#: Two letters of each script; where there is no font for it, both are the same box.
LETTERS = {
    "Latin": "aé", "Greek": "αβ", "Cyrillic": "дж", "Chinese": "中文", "Japanese": "ひカ",
    "Korean": "한글", "Arabic": "اب", "Hebrew": "אב", "Devanagari": "अक", "Bengali": "অক",
    "Tamil": "அக", "Telugu": "తన", "Kannada": "ಕನ", "Gujarati": "ગજ", "Thai": "กข",
    "Ethiopic": "አማ", "Georgian": "აბ", "Armenian": "աբ", "emoji": "😀🚀",
}  # fmt: skip
DRAW = """
import json, sys
from selenium import webdriver
options = webdriver.ChromeOptions()
options.binary_location = "/usr/bin/chromium-headless-shell"
options.add_argument("--no-sandbox")
service = webdriver.ChromeService("/usr/bin/chromedriver")
driver = webdriver.Chrome(options=options, service=service)
print(json.dumps(driver.execute_script("""
SCRIPT = """
const draw = text => {
  const canvas = document.createElement('canvas')
  const context = canvas.getContext('2d')
  context.font = '40px sans-serif'
  context.fillText(text, 8, 60)
  return canvas.toDataURL()
}
const alike = Object.entries(arguments[0]).filter(([, [one, other]]) => draw(one) == draw(other))
return {
  missing: alike.map(([name]) => name),
  webgl: Boolean(document.createElement('canvas').getContext('webgl')),
}
"""


def test_letters_of_many_scripts_and_emoji_have_a_font(engine: Engine):
    code = f"{DRAW}{SCRIPT!r}, {LETTERS!r})))\ndriver.quit()"
    done = engine.run(
        "run", "--rm", "--network", "none", "--shm-size", "256m", engine.images["CRAWLER_IMAGE"],
        "python", "-c", code,
    )  # fmt: skip
    assert json.loads(done.stdout) == {"missing": [], "webgl": True}
