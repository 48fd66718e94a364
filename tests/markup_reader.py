"""Some HTML as a test reads it: its tags, its words, its table."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """The tags of some HTML, its words, and its table as rows of cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.rows = [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.words += "\n"
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data):
        self.words += data
        if self.tags[-1][0] in ("th", "td"):
            self.rows[-1][-1] += data
