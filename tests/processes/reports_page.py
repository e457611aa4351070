"""Opens a page in Chromium and writes what it sees as JSON: reports_page.py CHROMIUM PAGE [SCREENSHOTS]."""

import csv
import io
import json
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright

browser_path, page_path = sys.argv[1], Path(sys.argv[2]).resolve()
pictures = Path(sys.argv[3]) if len(sys.argv) > 3 else None

CELLS = "t => [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.textContent.trim()))"
HEADS = "t => [...t.tHead.rows[0].cells].map(c => c.textContent.trim())"


def markdown_cells(text):
    """Rows of the first table, the header first, as a Markdown reader understands them."""
    rows, row = [], None
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "tr_open":
            row = []
        elif token.type == "tr_close":
            rows.append(row)
        elif token.type == "inline" and row is not None:
            row.append("".join(child.content for child in token.children))
    return rows


def look_at_table(page, sheet):
    """A table, its exported texts, and its rows after clicks on its headers."""
    table = sheet.locator("table")
    texts = {f.get_attribute("data-form"): f.locator("pre").text_content() for f in sheet.locator(".form").all()}
    seen = {
        "id": sheet.get_attribute("id"),
        "heads": table.evaluate(HEADS),
        "numbers": table.evaluate("t => [...t.tHead.rows[0].cells].map(c => c.classList.contains('num'))"),
        "cells": table.evaluate(CELLS),
        "aligned": table.evaluate("""t => [...t.tHead.rows[0].cells].every((head, j) => !head.classList.contains('num') || [...t.rows].every(row => {
            const style = getComputedStyle(row.cells[j]);
            return style.textAlign === 'right' && style.fontVariantNumeric.includes('tabular-nums');
        }))"""),
        "markdown": markdown_cells(texts["markdown"]),
        "csv": list(csv.reader(io.StringIO(texts["csv"]))),
        "latex": texts["latex"],
        "sorted": [],
    }
    visible = table.is_visible()
    for column in range(len(seen["heads"]) if visible else 0):
        head = table.locator("thead th").nth(column)
        for _ in range(3):
            head.get_by_role("button").click()
            seen["sorted"].append([column, head.get_attribute("aria-sort"), table.evaluate(CELLS)])
    return seen


def copied(page):
    """What the first Copy button of the first table puts on the clipboard, and what stands beside it."""
    menu = page.locator("details.export").first
    menu.locator("summary").click()
    menu.locator("button.copy").first.click()
    menu.get_by_role("button", name="Copy LaTeX").get_by_text("Copied").wait_for()
    text = page.evaluate("navigator.clipboard.readText()")
    page.keyboard.press("Escape")
    return {"clipboard": text, "shown": menu.locator("pre").first.text_content(), "closed": menu.get_attribute("open") is None}


def colours(page):
    return page.evaluate("""() => {
        const of = e => e && getComputedStyle(e);
        const drawn = document.querySelector('.drawn svg'), text = document.querySelector('.pictures svg text');
        return { page: of(document.body).backgroundColor, ink: of(document.body).color, filter: of(drawn)?.filter ?? null, text: of(text)?.fill ?? null };
    }""")


with sync_playwright() as p:
    browser = p.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light", permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    said, requests = [], []
    page.on("console", lambda m: said.append(f"{m.type}: {m.text}"))
    page.on("pageerror", lambda e: said.append(f"error: {e}"))
    page.on("dialog", lambda d: (said.append(f"dialog: {d.message}"), d.dismiss()))
    page.on("request", lambda r: requests.append(r.url[:200]))
    page.goto(page_path.as_uri())
    seen = {
        "title": page.title(),
        "headings": page.locator("h1, h2").all_text_contents(),
        "found": page.locator(".found").all_text_contents(),
        "figures": page.locator("figure svg").count(),
        "pictures": page.locator("figure svg image").count(),
        "scripts": page.locator("script").count(),
        "anchors": page.evaluate("[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.getAttribute('href')))"),
        "ids": page.evaluate("(() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return ids.length === new Set(ids).size; })()"),
    }
    for more in page.locator("details.more > summary").all():
        more.click()
    if pictures:
        page.screenshot(path=pictures / "light.png", full_page=True)
    seen["tables"] = [look_at_table(page, sheet) for sheet in page.locator(".sheet").all()]
    seen["copied"] = copied(page)
    seen["light"] = colours(page)
    page.emulate_media(color_scheme="dark")
    seen["dark"] = colours(page)
    if pictures:
        page.screenshot(path=pictures / "dark.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.locator("#theme").click()
    seen["toggled"] = colours(page)
    page.emulate_media(media="print")
    seen["printed"] = colours(page)
    page.emulate_media(media="screen")
    page.locator("#theme").click()
    with page.expect_download() as download:
        page.locator("button.save").first.click()
    seen["saved"] = [download.value.suggested_filename, Path(download.value.path()).read_text()[:4]]
    widths = []
    for width in (1280, 768, 375):
        page.set_viewport_size({"width": width, "height": 800})
        widths.append([width, page.evaluate("document.scrollingElement.scrollWidth")])
        if pictures:
            page.screenshot(path=pictures / f"{width}.png", full_page=True)
    seen["widths"] = widths
    seen["said"], seen["requests"] = said, requests
    browser.close()

print(json.dumps(seen))
